// host: what runs on this machine, compared with what was installed. Local: it asks no other process and needs root.
#include <signal.h>

#include <boost/json.hpp>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "core/measurement/host_state.h"
#include "core/measurement/measurement.h"
#include "platform/crypto/hash.h"
#include "programs/mailhold/console.h"

namespace mailhold::cli {
namespace {

namespace json = boost::json;

constexpr const char* list_default = "/etc/mailhold/host.list";
constexpr const char* state_default = "/run/mailhold-host/state";
constexpr std::uint64_t every_default = 30;

measurement::Places places_of(const Console& console) {
  measurement::Places places;
  places.programs = {std::filesystem::weakly_canonical(console.programs)};
  return places;
}

std::string list_of(const Typed& typed) { return typed.has("list") ? typed.one("list") : list_default; }

Status record(Console& console, const Typed& typed) {
  measurement::Places places = places_of(console);
  if (const auto also = typed.values.find("also"); also != typed.values.end()) {
    for (const std::string& folder : also->second) {
      if (!std::filesystem::is_directory(folder)) return Error{ErrorKind::invalid_input, folder + " is no folder"};
      places.programs.emplace_back(folder);
    }
  }
  ASSIGN_OR_RETURN(const measurement::Measured measured, measurement::measure(places));
  const std::string path = list_of(typed);
  std::ofstream file(path + ".new", std::ios::binary | std::ios::trunc);
  file << measured.encode();
  file.close();
  std::error_code failure;
  if (file) std::filesystem::rename(path + ".new", path, failure);
  if (!file || failure) return Error{ErrorKind::unavailable, path + " could not be written"};
  console.print(json::serialize(json::object{{"list", path},
                                             {"programs", measured.programs.size()},
                                             {"units", measured.units.size()},
                                             {"listeners", measured.listeners.size()}}));
  return done();
}

// What is not as the list has it; each finding is logged, with what it is about in clear: this is the one place that says so.
Result<std::vector<measurement::Finding>> findings_of(const Console& console, const std::string& path) {
  const measurement::Places places = places_of(console);
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{ErrorKind::not_found, path + " cannot be read; `mailhold host record` makes it"};
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  ASSIGN_OR_RETURN(const measurement::Measured recorded, measurement::Measured::parse(text));
  ASSIGN_OR_RETURN(const measurement::Measured now, measurement::measure(places));
  const auto findings = measurement::compare(recorded, now, places);
  for (const measurement::Finding& finding : findings)
    log_error("host", "R19: " + std::string(measurement::name_of(finding.kind)) + ": " + finding.subject);
  return findings;
}

Status check(Console& console, const Typed& typed) {
  ASSIGN_OR_RETURN(const auto findings, findings_of(console, list_of(typed)));
  json::array list;
  for (const measurement::Finding& finding : findings) {
    list.push_back({{"finding", measurement::name_of(finding.kind)},
                    {"subject", finding.subject},
                    {"sha256_of_subject", to_hex(crypto::sha256(finding.subject))}});
  }
  const bool sound = list.empty();
  console.print(json::serialize(json::object{{"sound", sound}, {"findings", std::move(list)}}));
  if (sound) return done();
  return Error{ErrorKind::denied, "this host is not as it was recorded; nothing may be unsealed on it"};
}

// Until SIGTERM. What cannot be measured is not written, so that keyd soon sees a state that is too old.
Status watch(Console& console, const Typed& typed) {
  const auto every = typed.has("every") ? to_number(typed.one("every")) : every_default;
  if (!every || *every < 1 || *every > every_default)
    return Error{ErrorKind::invalid_input, "--every is 1 to 30 seconds: a state counts for 60"};
  const std::string path = typed.has("state") ? typed.one("state") : state_default;
  sigset_t ends;
  ::sigemptyset(&ends);
  ::sigaddset(&ends, SIGTERM);
  ::sigaddset(&ends, SIGINT);
  ::sigprocmask(SIG_BLOCK, &ends, nullptr);
  const timespec wait{static_cast<time_t>(*every), 0};
  do {
    const Milliseconds began = system_clock().now();
    const auto findings = findings_of(console, list_of(typed));
    const Status written =
        findings ? measurement::write_state(path, measurement::state_of(*findings, began)) : Status(findings.error());
    if (!written) log_error("host", written.error().detail);
  } while (::sigtimedwait(&ends, nullptr, &wait) < 0);
  return done();
}

}  // namespace

std::vector<Command> host_commands() {
  const Option list{"list", std::string("File with the list; ") + list_default + " unless given"};
  return {
      {"host",
       "record",
       "Record the programs, units and listening ports of this host, after an installation that you trust",
       {list, {"also", "Folders whose programs may run later, as in /usr/bin: known by their hash", false, Form::values}},
       "mailhold host record --also /usr/bin /usr/sbin /usr/lib/systemd",
       record},
      {"host",
       "check",
       "Compare this host with what was recorded; exit code 5 if anything is unknown or changed",
       {list},
       "",
       check},
      {"host",
       "watch",
       "Compare again and again, and keep the outcome where keyd looks before it opens a seal (keys.host_state)",
       {list,
        {"state", std::string("File that is written; ") + state_default + " unless given"},
        {"every", "Seconds between two looks, 1 to 30; 30 unless given", false, Form::number}},
       "mailhold host watch --every 30",
       watch},
  };
}

}  // namespace mailhold::cli
