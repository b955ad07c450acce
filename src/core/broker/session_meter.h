// SessionMeter: how much a session may still carry. authd holds a part of what the caps of the connection leave and asks
// brokerd for more, over a channel of its own; what was not used is told at the end. Nothing passes that was not granted
// before, so that all sessions of a connection together stop exactly at its caps.
//
// Bytes: docs/formats/connection.md, "Meter". One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/result.h"
#include "platform/ipc/channel.h"

namespace mailhold::broker {

struct Allowance {
  std::uint64_t items = 0;
  std::uint64_t bytes = 0;
};

struct MeterQuestion {
  Allowance wanted;
  std::string mailbox;  // asks whether one more may be reached; then nothing else is wanted
};
std::string encode(const MeterQuestion& question);
Result<MeterQuestion> parse_meter_question(std::string_view bytes);  // corrupt
std::string encode(const Allowance& granted, bool mailbox_may_be_reached);
struct MeterAnswer {
  Allowance granted;
  bool mailbox_may_be_reached = false;
};
Result<MeterAnswer> parse_meter_answer(std::string_view bytes);  // corrupt

class SessionMeter {
 public:
  explicit SessionMeter(ipc::OwnedFd channel) : channel_(std::move(channel)) {}

  // Whether one more item may pass. Errors: brokerd is away.
  Result<bool> take_item();
  // How many of these bytes may pass.
  Result<std::uint64_t> take_bytes(std::uint64_t count);
  Result<bool> may_reach(const std::string& mailbox);

  const Allowance& left() const { return left_; }  // granted and not used
  const Allowance& used() const { return used_; }

 private:
  Result<MeterAnswer> ask(const MeterQuestion& question);
  ipc::Channel channel_;
  Allowance left_, used_;
};

}  // namespace mailhold::broker
