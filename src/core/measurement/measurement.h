// Measurement: programs, units and listening ports of a host, as a list that can be kept and compared.
//
// Pure values besides measure(), which reads the file system and /proc. Any thread.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mailhold::measurement {

// Where to look. All that exists is read; what does not is skipped.
struct Places {
  std::vector<std::filesystem::path> programs;  // folders whose every file counts as a program
  std::vector<std::filesystem::path> units{"/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/etc/init.d",
                                           "/etc/cron.d"};
  std::filesystem::path proc = "/proc";  // running programs and sockets
};

struct Measured {
  std::map<std::string, std::string> programs;  // path -> SHA-256 in hex; of the folders, and of all that runs
  std::map<std::string, std::string> units;     // path -> SHA-256 in hex, or "-> target" for a link
  std::set<std::string> listeners;              // "tcp 0100007F:25"; address as the kernel writes it, port in decimal

  std::string encode() const;                            // lines, sorted
  static Result<Measured> parse(std::string_view text);  // corrupt unless encode() gives the same
};

struct Finding {
  enum class Kind { unknown_program, changed_program, missing_program, unknown_unit, changed_unit, unknown_listener };
  Kind kind = Kind::unknown_program;
  std::string subject;  // path or port
};
std::string_view name_of(Finding::Kind kind);  // "unknown program"

// unavailable: /proc or a file that must be read could not be.
Result<Measured> measure(const Places& places);

// What is there now and was not, or differs. A unit that went away and a port that closed are no findings; an installed program
// that is gone is one, a program that merely does not run now is not.
std::vector<Finding> compare(const Measured& recorded, const Measured& now, const Places& places);

}  // namespace mailhold::measurement
