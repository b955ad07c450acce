#include "core/measurement/measurement.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "platform/crypto/hash.h"

namespace mailhold::measurement {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view first_line = "mailhold-host-1";
constexpr std::uint64_t ephemeral_port_first = 32768;  // below it, a UDP socket without a peer is a service
constexpr const char* unreadable = "-";                // in the place of a hash
constexpr std::string_view tcp_listening = "0A";
constexpr std::string_view udp_unconnected = "07";

Result<std::string> hash_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{ErrorKind::unavailable, "measuring: " + path.string() + " cannot be read"};
  crypto::Sha256 hash;
  std::string piece(1U << 18, '\0');
  while (file) {
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    hash.update(std::string_view(piece).substr(0, static_cast<std::size_t>(file.gcount())));
  }
  if (file.bad()) return Error{ErrorKind::unavailable, "measuring: " + path.string() + " cannot be read"};
  return to_hex(hash.finish());
}

Status measure_folder(const fs::path& folder, std::map<std::string, std::string>& into) {
  std::error_code failure;
  for (fs::recursive_directory_iterator file(folder, failure), end; !failure && file != end; file.increment(failure)) {
    std::error_code ignored;
    if (file->is_symlink(ignored)) {
      into[file->path()] = "-> " + fs::read_symlink(file->path(), ignored).string();
    } else if (file->is_regular_file(ignored)) {
      ASSIGN_OR_RETURN(into[file->path()], hash_of(file->path()));
    }
  }
  if (failure && failure != std::errc::no_such_file_or_directory)
    return Error{ErrorKind::unavailable, "measuring: " + folder.string() + ": " + failure.message()};
  return done();
}

std::string name_of_process(const fs::path& process) {
  std::ifstream file(process / "comm");
  std::string name;
  std::getline(file, name);
  std::replace_if(name.begin(), name.end(), [](char each) { return each < ' ' || each > '~'; }, '?');
  return name;
}

// Through /proc/PID/exe, which is the file that runs even if its name now leads to another one, or to none. A file that many
// processes run is read once. What may not be read is listed by the name it gives itself: a look without the rights for it
// finds much that is unknown, rather than nothing.
Status measure_running(const fs::path& proc, std::map<std::string, std::string>& into) {
  std::map<std::pair<dev_t, ino_t>, std::string> read;
  std::error_code failure;
  for (fs::directory_iterator process(proc, failure), end; !failure && process != end; process.increment(failure)) {
    if (!to_number(process->path().filename().string())) continue;
    const fs::path link = process->path() / "exe";
    std::error_code gone;
    const fs::path path = fs::read_symlink(link, gone);
    if (gone == std::errc::permission_denied || gone == std::errc::operation_not_permitted) {
      into["unreadable process " + name_of_process(process->path())] = unreadable;
      continue;
    }
    struct stat file{};
    if (gone || path.empty() || ::stat(link.c_str(), &file) != 0) continue;  // a kernel thread, or it has ended
    std::string& hash = read[{file.st_dev, file.st_ino}];
    if (hash.empty()) {
      auto fresh = hash_of(link);
      if (!fresh && fs::read_symlink(link, gone) == path && !gone) return fresh.error();
      if (!fresh) continue;  // it has ended
      hash = *fresh;
    }
    const auto [known, is_new] = into.emplace(path, hash);
    // The file was replaced while an older one still runs: both must be known.
    if (!is_new && known->second != hash) into[path.string() + " (running)"] = hash;
  }
  if (failure) return Error{ErrorKind::unavailable, "measuring: " + proc.string() + ": " + failure.message()};
  return done();
}

void measure_sockets(const fs::path& proc, std::set<std::string>& into) {
  for (const std::string kind : {"tcp", "tcp6", "udp", "udp6"}) {
    std::ifstream table(proc / "net" / kind);
    std::string line;
    std::getline(table, line);  // the head
    while (std::getline(table, line)) {
      std::istringstream fields(line);
      std::string slot;
      std::string local;
      std::string remote;
      std::string state;
      fields >> slot >> local >> remote >> state;
      const auto colon = local.rfind(':');
      if (colon == local.npos) continue;
      const std::uint64_t port = std::strtoull(local.c_str() + colon + 1, nullptr, 16);
      const bool is_service =
          kind.starts_with("tcp") ? state == tcp_listening : state == udp_unconnected && port < ephemeral_port_first;
      if (is_service) into.insert(kind + " " + local.substr(0, colon) + ":" + std::to_string(port));
    }
  }
}

bool is_below(const std::string& path, const std::vector<fs::path>& folders) {
  return std::any_of(folders.begin(), folders.end(),
                     [&](const fs::path& folder) { return path.starts_with(folder.string() + "/"); });
}

}  // namespace

std::string_view name_of(Finding::Kind kind) {
  switch (kind) {
    case Finding::Kind::unknown_program: return "unknown program";
    case Finding::Kind::changed_program: return "changed program";
    case Finding::Kind::missing_program: return "missing program";
    case Finding::Kind::unknown_unit: return "unknown unit";
    case Finding::Kind::changed_unit: return "changed unit";
    case Finding::Kind::unknown_listener: return "unknown listener";
  }
  return "";
}

std::string Measured::encode() const {
  std::string text = std::string(first_line) + "\n";
  for (const auto& [path, hash] : programs) text += "program\t" + hash + "\t" + path + "\n";
  for (const auto& [path, hash] : units) text += "unit\t" + hash + "\t" + path + "\n";
  for (const std::string& listener : listeners) text += "listener\t" + listener + "\n";
  return text;
}

Result<Measured> Measured::parse(std::string_view text) {
  const Error malformed{ErrorKind::corrupt, "the list of measured programs is malformed"};
  Measured measured;
  auto lines = split(text, '\n');
  if (lines.size() < 2 || lines.front() != first_line || !lines.back().empty()) return malformed;
  for (std::size_t i = 1; i + 1 < lines.size(); ++i) {
    const auto fields = split(lines[i], '\t');
    if (fields.size() == 3 && fields[0] == "program")
      measured.programs[std::string(fields[2])] = fields[1];
    else if (fields.size() == 3 && fields[0] == "unit")
      measured.units[std::string(fields[2])] = fields[1];
    else if (fields.size() == 2 && fields[0] == "listener")
      measured.listeners.emplace(fields[1]);
    else
      return malformed;
  }
  if (measured.encode() != text) return malformed;
  return measured;
}

Result<Measured> measure(const Places& places) {
  Measured measured;
  for (const fs::path& folder : places.programs) RETURN_IF_ERROR(measure_folder(folder, measured.programs));
  for (const fs::path& folder : places.units) RETURN_IF_ERROR(measure_folder(folder, measured.units));
  RETURN_IF_ERROR(measure_running(places.proc, measured.programs));
  measure_sockets(places.proc, measured.listeners);
  return measured;
}

std::vector<Finding> compare(const Measured& recorded, const Measured& now, const Places& places) {
  std::vector<Finding> findings;
  const auto differ = [&](const auto& before, const auto& after, Finding::Kind unknown, Finding::Kind changed) {
    for (const auto& [path, hash] : after) {
      const auto known = before.find(path);
      if (known == before.end())
        findings.push_back({unknown, path});
      else if (known->second != hash)
        findings.push_back({changed, path});
    }
  };
  differ(recorded.programs, now.programs, Finding::Kind::unknown_program, Finding::Kind::changed_program);
  for (const auto& [path, hash] : recorded.programs) {
    if (is_below(path, places.programs) && !now.programs.contains(path))
      findings.push_back({Finding::Kind::missing_program, path});
  }
  differ(recorded.units, now.units, Finding::Kind::unknown_unit, Finding::Kind::changed_unit);
  for (const std::string& listener : now.listeners) {
    if (!recorded.listeners.contains(listener)) findings.push_back({Finding::Kind::unknown_listener, listener});
  }
  return findings;
}

}  // namespace mailhold::measurement
