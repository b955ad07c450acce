// backup self, restore self: Mailhold's own data.
#include <unistd.h>

#include <boost/json.hpp>
#include <iostream>

#include "core/backup/backup.h"
#include "core/settings/settings.h"
#include "core/supervisor/topology.h"
#include "programs/mailhold/console.h"

namespace mailhold::cli {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr auto time_max = 24h;
constexpr std::uint64_t files_between_lines = 1000;

Result<Settings> settings_of(const Typed& typed) {
  if (::geteuid() != 0) return Error{ErrorKind::denied, "this needs root: every process owns its folder"};
  if (!typed.has("config")) return Settings();
  return Settings::from_file(typed.one("config"));
}

void show(const backup::Copied& so_far) {
  if (so_far.files % files_between_lines == 0) std::cerr << so_far.files << " files, " << (so_far.bytes >> 20) << " MiB\n";
}

json::object object_of(const backup::Copied& copied) {
  return {{"manifest", copied.manifest_sha256}, {"files", copied.files}, {"bytes", copied.bytes}};
}

Status back_up(Console& console, const Typed& typed) {
  ASSIGN_OR_RETURN(const Settings settings, settings_of(typed));
  ASSIGN_OR_RETURN(const backup::Copied copied, backup::copy_data(settings.text("mailhold.data"), typed.one("to"),
                                                                  system_clock().now(), show, Deadline::after(time_max)));
  json::object answer = object_of(copied);
  json::object record = answer;
  record["verb"] = "backup.record";
  answer["in_ledger"] = static_cast<bool>(console.ask(json::serialize(record)));
  console.print(json::serialize(answer));
  return done();
}

Status restore(Console& console, const Typed& typed) {
  ASSIGN_OR_RETURN(const Settings settings, settings_of(typed));
  ASSIGN_OR_RETURN(const supervisor::Topology topology, supervisor::topology_of(settings));
  const auto first = settings.number("mailhold.users_first");
  const auto owner_of = [&](const std::string& name) -> Result<backup::Owner> {
    for (const auto& folder : topology.folders) {
      if (folder.name != name) continue;
      const auto user = static_cast<unsigned>(first + supervisor::program_of(topology, folder.owner)->user);
      const std::string& group = folder.group.empty() ? folder.owner : folder.group;
      return backup::Owner{user, static_cast<unsigned>(first + supervisor::program_of(topology, group)->user)};
    }
    return Error{ErrorKind::invalid_input, "the settings know no folder " + name + "; is keys.pkcs11_module missing?"};
  };
  ASSIGN_OR_RETURN(const backup::Copied copied, backup::restore_data(typed.one("from"), settings.text("mailhold.data"), owner_of,
                                                                     show, Deadline::after(time_max)));
  console.print(json::serialize(object_of(copied)));
  return done();
}

}  // namespace

std::vector<Command> own_data_commands() {
  const Option config{"config", "The settings file; without it all defaults hold"};
  return {
      {"backup",
       "self",
       "Copy all of Mailhold's data while it runs (root); the copy opens nothing without a seal of the region",
       {{"to", "A folder that does not exist yet", true}, config},
       "mailhold backup self --config /etc/mailhold/mailhold.toml --to /backup/2026-11-22",
       back_up},
      {"restore",
       "self",
       "Bring Mailhold's data back into an empty folder (root); then start it and unseal it",
       {{"from", "The folder of a backup", true}, config},
       "mailhold restore self --config /etc/mailhold/mailhold.toml --from /backup/2026-11-22",
       restore},
  };
}

}  // namespace mailhold::cli
