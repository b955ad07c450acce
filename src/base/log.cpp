#include "base/log.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>

#include "base/clock.h"

namespace mailhold {
namespace {

std::array<char, 64> program_name{"mailhold"};

// One write(2) for each line, so that lines of threads and processes do not mix.
void write_line(std::string_view level, std::string_view room, std::string_view text) {
  std::string line = to_iso8601(system_clock().now());
  line.append(" ").append(program_name.data()).append(" ").append(level).append(" ").append(room).append(": ");
  for (const char letter : text) line.push_back(letter == '\n' || letter == '\r' ? ' ' : letter);
  line.push_back('\n');
  (void)!::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

void set_program_name(std::string_view name) {
  std::snprintf(program_name.data(), program_name.size(), "%.*s", static_cast<int>(name.size()), name.data());
}

void log_info(std::string_view room, std::string_view text) { write_line("info", room, text); }
void log_warning(std::string_view room, std::string_view text) { write_line("warning", room, text); }
void log_error(std::string_view room, std::string_view text) { write_line("error", room, text); }

std::string_view name_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_input: return "invalid_input";
    case ErrorKind::not_found: return "not_found";
    case ErrorKind::already_exists: return "already_exists";
    case ErrorKind::denied: return "denied";
    case ErrorKind::limit_exceeded: return "limit_exceeded";
    case ErrorKind::unavailable: return "unavailable";
    case ErrorKind::timed_out: return "timed_out";
    case ErrorKind::cancelled: return "cancelled";
    case ErrorKind::corrupt: return "corrupt";
    case ErrorKind::unsupported: return "unsupported";
    case ErrorKind::bug: return "bug";
  }
  return "bug";
}

}  // namespace mailhold
