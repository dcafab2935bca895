#include "datapath/ebpf/program_bed.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

namespace midonet::datapath::testing {

Verdict ProgramBed::run(int program, std::uint32_t ifindex, const Frame& frame, std::array<std::uint32_t, 2> cb) {
  __sk_buff context{};
  context.ifindex = ifindex;
  context.cb[0] = cb[0];
  context.cb[1] = cb[1];
  Frame out(frame.size() + 64);
  bpf_test_run_opts options{};
  options.sz = sizeof options;
  options.data_in = frame.data();
  options.data_size_in = static_cast<std::uint32_t>(frame.size());
  options.data_out = out.data();
  options.data_size_out = static_cast<std::uint32_t>(out.size());
  options.ctx_in = &context;
  options.ctx_size_in = sizeof context;
  options.ctx_out = &context;
  options.ctx_size_out = sizeof context;
  EXPECT_EQ(::bpf_prog_test_run_opts(program, &options), 0);
  // Copies for other hosts go out without the mark.
  const bool marked = context.cb[0] == MIDONET_FORWARDED || context.cb[2] == MIDONET_FLOODED;
  return {options.retval, marked ? context.cb[2] : 0};
}

}  // namespace midonet::datapath::testing
