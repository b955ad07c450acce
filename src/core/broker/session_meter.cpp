#include "core/broker/session_meter.h"

#include <algorithm>

#include "base/bytes.h"

namespace mailhold::broker {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t items_at_once = 256;
constexpr std::uint64_t bytes_at_once = 64U << 20;

}  // namespace

std::string encode(const MeterQuestion& question) {
  return ByteWriter().u64(question.wanted.items).u64(question.wanted.bytes).text(question.mailbox).take();
}

Result<MeterQuestion> parse_meter_question(std::string_view bytes) {
  ByteReader reader(bytes);
  MeterQuestion question;
  question.wanted.items = reader.u64();
  question.wanted.bytes = reader.u64();
  question.mailbox = reader.text();
  RETURN_IF_ERROR(reader.finish());
  return question;
}

std::string encode(const Allowance& granted, bool mailbox_may_be_reached) {
  return ByteWriter().u64(granted.items).u64(granted.bytes).u8(mailbox_may_be_reached ? 1 : 0).take();
}

Result<MeterAnswer> parse_meter_answer(std::string_view bytes) {
  ByteReader reader(bytes);
  MeterAnswer answer;
  answer.granted.items = reader.u64();
  answer.granted.bytes = reader.u64();
  const std::uint8_t mailbox = reader.u8();
  answer.mailbox_may_be_reached = mailbox == 1;
  RETURN_IF_ERROR(reader.finish());
  if (mailbox > 1) return Error{ErrorKind::corrupt, "not an answer of the meter"};
  return answer;
}

Result<MeterAnswer> SessionMeter::ask(const MeterQuestion& question) {
  const Deadline deadline = Deadline::after(30s);
  RETURN_IF_ERROR(channel_.send(encode(question), deadline));
  ASSIGN_OR_RETURN(const ipc::Frame frame, channel_.receive(deadline));
  ASSIGN_OR_RETURN(const MeterAnswer answer, parse_meter_answer(frame.bytes));
  left_.items += answer.granted.items;
  left_.bytes += answer.granted.bytes;
  return answer;
}

Result<bool> SessionMeter::take_item() {
  if (left_.items == 0) RETURN_IF_ERROR(ask({{items_at_once, 0}, {}}));
  if (left_.items == 0) return false;
  --left_.items;
  ++used_.items;
  return true;
}

Result<std::uint64_t> SessionMeter::take_bytes(std::uint64_t count) {
  while (left_.bytes < count) {
    const std::uint64_t before = left_.bytes;
    RETURN_IF_ERROR(ask({{0, std::max(bytes_at_once, count - before)}, {}}));
    if (left_.bytes == before) break;
  }
  const std::uint64_t taken = std::min(count, left_.bytes);
  left_.bytes -= taken;
  used_.bytes += taken;
  return taken;
}

Result<bool> SessionMeter::may_reach(const std::string& mailbox) {
  ASSIGN_OR_RETURN(const MeterAnswer answer, ask({{}, mailbox}));
  return answer.mailbox_may_be_reached;
}

}  // namespace mailhold::broker
