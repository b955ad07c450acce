// host: what runs on this machine, compared with what was installed. Local: it asks no other process and needs root.
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/log.h"
#include "core/measurement/measurement.h"
#include "programs/mailhold/console.h"

namespace mailhold::cli {
namespace {

namespace json = boost::json;

constexpr const char* list_default = "/etc/mailhold/host.list";

measurement::Places places_of(const Console& console) {
  measurement::Places places;
  places.programs = {std::filesystem::weakly_canonical(console.programs)};
  return places;
}

std::string list_of(const Typed& typed) { return typed.has("list") ? typed.one("list") : list_default; }

Status record(Console& console, const Typed& typed) {
  ASSIGN_OR_RETURN(const measurement::Measured measured, measurement::measure(places_of(console)));
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

Status check(Console& console, const Typed& typed) {
  const measurement::Places places = places_of(console);
  const std::string path = list_of(typed);
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{ErrorKind::not_found, path + " cannot be read; `mailhold host record` makes it"};
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  ASSIGN_OR_RETURN(const measurement::Measured recorded, measurement::Measured::parse(text));
  ASSIGN_OR_RETURN(const measurement::Measured now, measurement::measure(places));
  json::array list;
  for (const measurement::Finding& finding : measurement::compare(recorded, now, places)) {
    log_error("host", "R19: " + std::string(measurement::name_of(finding.kind)) + ": " + finding.subject);
    list.push_back({{"finding", measurement::name_of(finding.kind)}, {"subject", finding.subject}});
  }
  const bool sound = list.empty();
  console.print(json::serialize(json::object{{"sound", sound}, {"findings", std::move(list)}}));
  if (sound) return done();
  return Error{ErrorKind::denied, "this host is not as it was recorded; nothing may be unsealed on it"};
}

}  // namespace

std::vector<Command> host_commands() {
  const Option list{"list", std::string("File with the list; ") + list_default + " unless given"};
  return {
      {"host",
       "record",
       "Record the programs, units and listening ports of this host, after an installation that you trust",
       {list},
       "mailhold host record",
       record},
      {"host",
       "check",
       "Compare this host with what was recorded; exit code 5 if anything is unknown or changed",
       {list},
       "",
       check},
  };
}

}  // namespace mailhold::cli
