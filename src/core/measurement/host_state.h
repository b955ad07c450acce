// HostState: what the last look at a host found, kept in a small file by `mailhold host watch` for keyd, which cannot look
// itself. Kinds and hashes only. Any thread.
//
// Design: docs/formats/host-state.md
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "core/measurement/measurement.h"

namespace mailhold::measurement {

inline constexpr std::size_t state_findings_max = 200;  // more are not written: one is enough
inline constexpr Milliseconds state_age_max = 60'000;

struct StateFinding {
  Finding::Kind kind = Finding::Kind::unknown_program;
  std::string subject;  // SHA-256 of Finding::subject in hex
};

struct HostState {
  Milliseconds time = 0;               // when the look began
  std::vector<StateFinding> findings;  // none: the host is as it was recorded

  std::string encode() const;
  static Result<HostState> parse(std::string_view bytes);  // corrupt unless encode() gives the same
};

HostState state_of(const std::vector<Finding>& findings, Milliseconds time);

// In place of the one before: whoever reads sees one of them whole. unavailable.
Status write_state(const std::filesystem::path& path, const HostState& state);

// What can be relied on at `now`. not_found: there is none. denied: somebody other than its owner and root could have written it,
// or the caller itself. timed_out: it is older than state_age_max, or of a time to come. corrupt.
Result<HostState> read_state(const std::filesystem::path& path, Milliseconds now);

}  // namespace mailhold::measurement
