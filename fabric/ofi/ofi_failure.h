// What libfabric says went wrong, in the seam's terms and for people.
#pragma once

#include <rdma/fi_eq.h>

#include <string>

#include "base/result.h"
#include "fabric/fabric.h"

namespace npf::fabric::ofi {

// code: a positive number of libfabric's. "what: text (fi_errno 111); next_step"
Error ofi_error(Status status, const std::string& what, int code, const std::string& next_step = {});

// The first failed completion of an endpoint. text: the provider's own, empty if it has none.
Error explain_completion(const fi_cq_err_entry& entry, const std::string& operation, const std::string& provider,
                         const std::string& text);

// Posting failed, with a positive number of libfabric's.
Error explain_post(int code, const std::string& operation);

}  // namespace npf::fabric::ofi
