#include "base/kernel.h"

#include <gtest/gtest.h>

#include "tests/fake_tree.h"

namespace npf {
namespace {

TEST(Kernel, KnowsWhereAModuleIs) {
  FakeTree fake;
  fake.file("/proc/sys/kernel/osrelease", "6.1.0\n");
  EXPECT_EQ(module_state(fake.tree(), "rdma_rxe"), ModuleState::kNoModules);
  fake.file("/proc/modules", "");
  EXPECT_EQ(module_state(fake.tree(), "rdma_rxe"), ModuleState::kUnknown);
  fake.file("/lib/modules/6.1.0/modules.dep",
            "kernel/drivers/infiniband/sw/rxe/rdma_rxe.ko.xz: kernel/net/ib-core.ko\nkernel/net/ib-core.ko:\n");
  EXPECT_EQ(module_state(fake.tree(), "rdma_rxe"), ModuleState::kLoadable);
  EXPECT_EQ(module_state(fake.tree(), "ib_core"), ModuleState::kLoadable);
  EXPECT_EQ(module_state(fake.tree(), "net"), ModuleState::kAbsent);
  fake.file("/lib/modules/6.1.0/modules.builtin", "kernel/drivers/infiniband/core/ib_uverbs.ko\n");
  EXPECT_EQ(module_state(fake.tree(), "ib_uverbs"), ModuleState::kBuiltIn);
  fake.folder("/sys/module/rdma_rxe");
  EXPECT_EQ(module_state(fake.tree(), "rdma_rxe"), ModuleState::kLoaded);
}

TEST(Kernel, TellsWhetherANodeIsThereAndOpens) {
  FakeTree fake;
  fake.file("/dev/infiniband/rdma_cm", "");
  const DeviceNode there = device_node(fake.tree(), "/dev/infiniband/rdma_cm");
  EXPECT_TRUE(there.is_there && there.may_open);
  const DeviceNode absent = device_node(fake.tree(), "/dev/infiniband/uverbs0");
  EXPECT_FALSE(absent.is_there || absent.may_open);
}

TEST(Kernel, OfThisMachineHasAReleaseAndANamespace) {
  EXPECT_NE(kernel_release(SystemTree()), "");
  EXPECT_EQ(network_namespace(SystemTree()).rfind("net:[", 0), 0U);
}

}  // namespace
}  // namespace npf
