# NPF_ONNX: the engine onnxruntime. It needs the headers of ONNX Runtime's C API only, since the library is loaded while
# the program runs. The system's are preferred; scripts/setup fetches them where a distribution has none.
set(npf_cache "$ENV{XDG_CACHE_HOME}")
if(npf_cache STREQUAL "")
  set(npf_cache "$ENV{HOME}/.cache")
endif()

function(npf_find_onnxruntime)
  npf_feature_option(NPF_ONNX "ONNX models" "onnxruntime_c_api.h")
  # Asked anew each time: scripts/setup may have run since.
  unset(NPF_ONNXRUNTIME_INCLUDE CACHE)
  find_path(NPF_ONNXRUNTIME_INCLUDE onnxruntime_c_api.h
    PATH_SUFFIXES onnxruntime onnxruntime/core/session
    PATHS ${npf_cache}/npf/onnxruntime/1.26.0/include)
  npf_feature_outcome(NPF_ONNX "ONNX models" "onnxruntime_c_api.h" "${NPF_ONNXRUNTIME_INCLUDE}" "")
  set(NPF_ONNX_ENABLED ${enabled} PARENT_SCOPE)
  if(enabled)
    add_library(npf_onnxruntime_headers INTERFACE)
    # SYSTEM: their warnings are not ours.
    target_include_directories(npf_onnxruntime_headers SYSTEM INTERFACE ${NPF_ONNXRUNTIME_INCLUDE})
  endif()
endfunction()

npf_find_onnxruntime()
