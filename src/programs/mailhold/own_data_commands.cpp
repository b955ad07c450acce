// backup self, backup prune, restore self: Mailhold's own data.
#include <unistd.h>

#include <boost/json.hpp>
#include <iostream>

#include "base/text.h"
#include "core/backup/backup.h"
#include "core/backup/key_copies.h"
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

// Says what was done, then fails if there is something that only a person can do.
Status tell(Console& console, json::object answer, const backup::Pruned& pruned) {
  json::array names;
  for (const std::string& name : pruned.backups) names.emplace_back(name);
  answer["keys_deleted_of"] = std::move(names);
  if (!pruned.backups.empty()) {
    const json::object record{{"verb", "backup.record-prune"}, {"backups", pruned.backups.size()}};
    answer["pruning_in_ledger"] = static_cast<bool>(console.ask(json::serialize(record)));
  }
  console.print(json::serialize(answer));
  if (pruned.problems.empty()) return done();
  for (const std::string& problem : pruned.problems) std::cerr << problem << "\n";
  return Error{ErrorKind::unavailable, "not all old copies of keys are gone: see above"};
}

// Absolute, so that what it lies in has a name.
std::filesystem::path folder_around(const std::string& backup) {
  const std::filesystem::path path = std::filesystem::absolute(backup).lexically_normal();
  return path.has_filename() ? path.parent_path() : path.parent_path().parent_path();
}

Status prune(Console& console, const Typed& typed) {
  Milliseconds life = backup::key_copies_life;
  if (typed.has("older-than-days")) {
    const auto days = to_number(typed.one("older-than-days"));
    if (!days || *days > 35) return Error{ErrorKind::invalid_input, "keys are kept in backups for 0 to 35 days"};
    life = static_cast<Milliseconds>(*days) * backup::milliseconds_in_day;
  }
  ASSIGN_OR_RETURN(const backup::Pruned pruned, backup::prune_keys(typed.one("in"), system_clock().now(), life));
  return tell(console, {}, pruned);
}

Status back_up(Console& console, const Typed& typed) {
  ASSIGN_OR_RETURN(const Settings settings, settings_of(typed));
  ASSIGN_OR_RETURN(const backup::Copied copied, backup::copy_data(settings.text("mailhold.data"), typed.one("to"),
                                                                  system_clock().now(), show, Deadline::after(time_max)));
  json::object answer = object_of(copied);
  json::object record = answer;
  record["verb"] = "backup.record";
  answer["in_ledger"] = static_cast<bool>(console.ask(json::serialize(record)));
  ASSIGN_OR_RETURN(const backup::Pruned pruned, backup::prune_keys(folder_around(typed.one("to")), system_clock().now()));
  return tell(console, std::move(answer), pruned);
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
  backup::RestoreFrom from{typed.one("from"), {}};
  if (typed.has("keys-from")) from.keys_from = typed.one("keys-from");
  ASSIGN_OR_RETURN(const backup::Copied copied, backup::restore_data(from, settings.text("mailhold.data"), system_clock().now(),
                                                                     owner_of, show, Deadline::after(time_max)));
  console.print(json::serialize(object_of(copied)));
  return done();
}

}  // namespace

std::vector<Command> own_data_commands() {
  const Option config{"config", "The settings file; without it all defaults hold"};
  return {
      {"backup",
       "self",
       "Copy all of Mailhold's data while it runs (root), and delete keys older than 35 days from the backups beside it",
       {{"to", "A folder that does not exist yet", true}, config},
       "mailhold backup self --config /etc/mailhold/mailhold.toml --to /backup/2026-11-22",
       back_up},
      {"backup",
       "prune",
       "Delete the copies of keys from backups older than 35 days, so that what was shredded is gone there too",
       {{"in", "The folder that the backups lie in", true},
        {"older-than-days", "Also from younger ones; the newest backup keeps its keys", false, Form::number}},
       "mailhold backup prune --in /backup",
       prune},
      {"restore",
       "self",
       "Bring Mailhold's data back into an empty folder (root); then start it and unseal it",
       {{"from", "The folder of a backup", true},
        {"keys-from", "A newer backup: all of it is restored, and what else of mail is in the older one"},
        config},
       "mailhold restore self --config /etc/mailhold/mailhold.toml --from /backup/2026-11-22",
       restore},
  };
}

}  // namespace mailhold::cli
