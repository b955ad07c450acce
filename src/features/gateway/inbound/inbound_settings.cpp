#include "features/gateway/inbound/inbound_settings.h"

namespace mailhold::gateway {
namespace {

// Reads numbers and remembers the first that is out of range.
class Numbers {
 public:
  explicit Numbers(const Settings& settings) : settings_(settings) {}

  template <class Number>
  void read(Number& into, const char* key, std::int64_t least, std::int64_t most) {
    const std::int64_t value = settings_.number(key);
    if (value >= least && value <= most)
      into = static_cast<Number>(value);
    else if (problem_.empty())
      problem_ = std::string(key) + " must be between " + std::to_string(least) + " and " + std::to_string(most);
  }
  void read(std::chrono::seconds& into, const char* key) {
    std::int64_t value = into.count();
    read(value, key, 1, 86'400);
    into = std::chrono::seconds(value);
  }
  const std::string& problem() const { return problem_; }

 private:
  const Settings& settings_;
  std::string problem_;
};

}  // namespace

Result<InboundSettings> inbound_settings_from(const Settings& settings) {
  InboundSettings inbound;
  inbound.host_name = settings.text("mailhold.hostname");
  inbound.link_base = settings.text("links.base");
  while (inbound.link_base.ends_with('/')) inbound.link_base.pop_back();
  inbound.clamd_socket = settings.text("scanning.clamd_socket");
  const std::string& bare_newlines = settings.text("gateway.bare_newlines");
  if (bare_newlines != "reject" && bare_newlines != "normalise") {
    return Error{ErrorKind::invalid_input, "gateway.bare_newlines must be reject or normalise"};
  }
  inbound.bare_newlines = bare_newlines == "reject" ? smtp::BareNewlines::reject : smtp::BareNewlines::normalise;

  Numbers numbers(settings);
  numbers.read(inbound.size_bytes_max, "gateway.size_bytes_max", 65'536, 64LL << 20);  // the scanner reads no more
  numbers.read(inbound.recipients_max, "gateway.recipients_max", 100, 1'000);          // RFC 5321 section 4.5.3.1.8
  numbers.read(inbound.errors_max, "gateway.errors_max", 1, 1'000);
  numbers.read(inbound.messages_per_session_max, "gateway.messages_per_session_max", 1, 1'000'000'000);
  numbers.read(inbound.connections_max, "gateway.connections_max", 1, 60'000);
  numbers.read(inbound.connections_per_address_max, "gateway.connections_per_address_max", 1, 60'000);
  numbers.read(inbound.connections_per_tenant_max, "gateway.connections_per_tenant_max", 1, 60'000);
  numbers.read(inbound.content_bytes_max, "gateway.content_bytes_max", 1 << 20, 1LL << 40);
  numbers.read(inbound.hops_max, "gateway.hops_max", 10, 1'000);
  numbers.read(inbound.command_time, "gateway.command_seconds");
  numbers.read(inbound.data_time, "gateway.data_seconds");
  numbers.read(inbound.session_time, "gateway.session_seconds");
  numbers.read(inbound.io_threads, "gateway.io_threads", 1, 256);
  numbers.read(inbound.scan_threads, "gateway.scan_threads", 1, 1'024);
  numbers.read(inbound.scan_queue_max, "gateway.scan_queue_max", 1, 60'000);
  numbers.read(inbound.scan_time, "scanning.seconds");
  if (!numbers.problem().empty()) return Error{ErrorKind::invalid_input, numbers.problem()};
  return inbound;
}

}  // namespace mailhold::gateway
