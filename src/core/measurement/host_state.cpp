#include "core/measurement/host_state.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "base/text.h"
#include "platform/crypto/hash.h"

namespace mailhold::measurement {
namespace {

constexpr std::string_view first_line = "mailhold-host-state-1";
constexpr std::size_t state_bytes_max = 64 * 1024;
constexpr Milliseconds clock_difference_max = 5'000;  // a state of a time to come: the clock was set back
constexpr std::array kinds = {Finding::Kind::unknown_program, Finding::Kind::changed_program, Finding::Kind::missing_program,
                              Finding::Kind::unknown_unit,    Finding::Kind::changed_unit,    Finding::Kind::unknown_listener};

Error malformed() { return {ErrorKind::corrupt, "the state of the host is malformed"}; }

// A file or folder that only root or a user that is not this one may change.
Status check_owner(const struct stat& found) {
  if ((found.st_mode & 0022U) != 0 || (found.st_uid == ::geteuid() && found.st_uid != 0))
    return Error{ErrorKind::denied, "the state of the host could have been written by another than its watch"};
  return done();
}

}  // namespace

std::string HostState::encode() const {
  std::string text = std::string(first_line) + "\ntime\t" + std::to_string(time) + "\n";
  for (const StateFinding& finding : findings)
    text += "finding\t" + std::string(name_of(finding.kind)) + "\t" + finding.subject + "\n";
  return text;
}

Result<HostState> HostState::parse(std::string_view bytes) {
  const auto lines = split(bytes, '\n');
  if (bytes.size() > state_bytes_max || lines.size() < 3 || lines.size() > state_findings_max + 3 || lines[0] != first_line)
    return malformed();
  HostState state;
  const auto time = lines[1].starts_with("time\t") ? to_number(lines[1].substr(5)) : std::nullopt;
  if (!time || *time > static_cast<std::uint64_t>(INT64_MAX)) return malformed();
  state.time = static_cast<Milliseconds>(*time);
  for (std::size_t i = 2; i + 1 < lines.size(); ++i) {
    const auto fields = split(lines[i], '\t');
    if (fields.size() != 3 || fields[2].size() != 2 * crypto::sha256_size || !from_hex(fields[2])) return malformed();
    const auto kind = std::find_if(kinds.begin(), kinds.end(), [&](Finding::Kind each) { return fields[1] == name_of(each); });
    if (kind == kinds.end()) return malformed();
    state.findings.push_back({*kind, std::string(fields[2])});
  }
  if (state.encode() != bytes) return malformed();
  return state;
}

HostState state_of(const std::vector<Finding>& findings, Milliseconds time) {
  HostState state{time, {}};
  for (const Finding& finding : findings) {
    if (state.findings.size() == state_findings_max) break;
    state.findings.push_back({finding.kind, to_hex(crypto::sha256(finding.subject))});
  }
  return state;
}

Status write_state(const std::filesystem::path& path, const HostState& state) {
  const std::filesystem::path fresh = path.string() + ".new";
  std::ofstream file(fresh, std::ios::binary | std::ios::trunc);
  file << state.encode();
  file.close();
  std::error_code failure;
  if (file) std::filesystem::permissions(fresh, std::filesystem::perms{0644}, failure);
  if (file && !failure) std::filesystem::rename(fresh, path, failure);
  if (!file || failure) return Error{ErrorKind::unavailable, path.string() + " could not be written"};
  return done();
}

Result<HostState> read_state(const std::filesystem::path& path, Milliseconds now) {
  struct stat folder{};
  struct stat found{};
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0 || ::stat(path.parent_path().c_str(), &folder) != 0 || ::fstat(file, &found) != 0 || !S_ISREG(found.st_mode)) {
    if (file >= 0) ::close(file);
    return Error{ErrorKind::not_found, "there is no state of the host; `mailhold host watch` writes it"};
  }
  std::string bytes(state_bytes_max + 1, '\0');
  const ssize_t count = ::pread(file, bytes.data(), bytes.size(), 0);
  ::close(file);
  RETURN_IF_ERROR(check_owner(folder));
  RETURN_IF_ERROR(check_owner(found));
  if (count < 0) return Error{ErrorKind::not_found, "the state of the host cannot be read"};
  bytes.resize(static_cast<std::size_t>(count));
  ASSIGN_OR_RETURN(HostState state, HostState::parse(bytes));
  if (now - state.time > state_age_max || state.time - now > clock_difference_max)
    return Error{ErrorKind::timed_out, "the state of the host is " + std::to_string((now - state.time) / 1000) + " s old"};
  return state;
}

}  // namespace mailhold::measurement
