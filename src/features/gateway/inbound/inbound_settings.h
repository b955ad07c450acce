// What an operator may set for taking mail in: [gateway] of the settings file.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "core/settings/settings.h"
#include "formats/smtp/smtp_server_content.h"

namespace mailhold::gateway {

struct InboundSettings {
  std::string host_name = "localhost";  // in the greeting, in Received and in Authentication-Results
  smtp::BareNewlines bare_newlines = smtp::BareNewlines::reject;

  // Of one session; beyond them 452, 552 or 421.
  std::uint64_t size_bytes_max = 50u << 20;
  std::uint32_t recipients_max = 200;
  std::uint32_t errors_max = 20;
  std::uint32_t messages_per_session_max = 10'000;
  std::chrono::seconds command_time{300};  // RFC 5321 section 4.5.3.2.7
  std::chrono::seconds data_time{600};     // for the whole content
  std::chrono::seconds session_time{7'200};

  // Of all sessions; beyond them 421 before any parsing.
  std::uint32_t connections_max = 4'000;
  std::uint32_t connections_per_address_max = 100;  // an IPv6 /64 counts as one address
  std::uint32_t connections_per_tenant_max = 1'000;
  std::uint64_t content_bytes_max = 512u << 20;  // content that is being received, all sessions together

  std::uint32_t hops_max = 50;  // Received fields; more is a loop
  std::uint32_t io_threads = 4;
  std::uint32_t scan_threads = 32;
  std::uint32_t scan_queue_max = 2'000;  // messages that wait for a scan thread, then 451
  std::chrono::seconds scan_time{120};

  std::string link_base;     // "https://links.example"; empty: links are left alone
  std::string clamd_socket;  // path; empty: no virus scanner
};

// invalid_input names the key that is out of range.
Result<InboundSettings> inbound_settings_from(const Settings& settings);

}  // namespace mailhold::gateway
