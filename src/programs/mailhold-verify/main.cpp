// mailhold-verify: checks a ledger, a tenant's bundle or an export offline, with nothing but public keys. It needs no account, no
// database and no network, and shares with Mailhold only what reads the ledger's formats. Wiring only.
//
// Exit codes: 0 sound; 1 not sound, the first thing that does not fit is printed; 2 wrong input.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "base/clock.h"
#include "core/evidence/bundle.h"
#include "core/evidence/export_check.h"
#include "core/evidence/log_reader.h"
#include "core/evidence/tile_nodes.h"
#include "core/evidence/verifier.h"
#include "formats/tlog/checkpoint.h"

namespace {

using namespace mailhold;
using namespace mailhold::ledger;

constexpr const char* about =
    "mailhold-verify: checks a Mailhold ledger, and what it proves, offline.\n"
    "\n"
    "  mailhold-verify log FOLDER --key KEY        the whole folder of a ledger, or a copy of it\n"
    "  mailhold-verify bundle FILE --key KEY --tenant ID      what `mailhold ledger bundle` wrote\n"
    "  mailhold-verify export FOLDER --key KEY     what was unpacked from an export of a mailbox\n"
    "\n"
    "  --witness KEY, as often as there are witnesses, and --needed N: so many must have cosigned\n"
    "  --state FILE: what was seen last time; a ledger that does not continue it was rolled back or split. Written when sound.\n"
    "\n"
    "KEY is what `mailhold ledger status` printed when you began; keep it where Mailhold cannot change it.";

constexpr std::size_t bundle_bytes_max = std::size_t{4} << 30;
constexpr std::size_t state_bytes_max = 256U << 20;

struct Given {
  std::string path;
  std::string key;
  std::string tenant;
  std::string state;
  std::vector<std::string> witnesses;
  std::size_t needed = 0;
  bool has_needed = false;
};

Result<WitnessPolicy> policy_of(const Given& given) {
  WitnessPolicy policy;
  for (const std::string& text : given.witnesses) {
    auto key = tlog::CosignerKey::parse(text);
    if (!key) return Error{ErrorKind::invalid_input, "--witness: " + text + " is not the key of a witness"};
    policy.witnesses.push_back(std::move(*key));
  }
  policy.needed = given.has_needed ? given.needed : policy.witnesses.size();  // all, unless said otherwise
  RETURN_IF_ERROR(policy.check());
  return policy;
}

Result<std::optional<std::string>> read_state(const std::string& path) {
  if (path.empty() || !std::filesystem::exists(path)) return std::optional<std::string>();
  ASSIGN_OR_RETURN(std::string bytes, read_file(path, state_bytes_max));
  return std::optional(std::move(bytes));
}

// Replaces the file at once or not at all: a half-written one would make the next check start from nothing.
Status write_state(const std::string& path, std::string_view bytes) {
  if (path.empty()) return done();
  const std::string beside = path + ".new";
  const int file = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool written =
      file >= 0 && ::write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) && ::fsync(file) == 0;
  if (file >= 0) ::close(file);
  if (!written || ::rename(beside.c_str(), path.c_str()) != 0)
    return Error{ErrorKind::unavailable, "--state: " + path + " could not be written"};
  return done();
}

void print_cosigners(const std::vector<Cosigned>& cosigners, const WitnessPolicy& policy) {
  if (policy.witnesses.empty()) return;
  std::cout << "witnesses: " << cosigners.size() << " of " << policy.witnesses.size() << " cosigned, " << policy.needed
            << " needed\n";
  for (const Cosigned& one : cosigners)
    std::cout << "  " << one.witness << " at " << to_iso8601(static_cast<Milliseconds>(one.seconds) * 1000) << "\n";
}

// The cosigned checkpoint beside the log must be one that the log continues.
Status check_cosigned(const std::filesystem::path& folder, const tlog::NoteKey& key, const tlog::Checkpoint& newest,
                      const WitnessPolicy& policy, std::vector<Cosigned>& cosigners) {
  if (policy.witnesses.empty()) return done();
  const auto bytes = read_file(folder / cosigned_checkpoint_name, tlog::note_bytes_max);
  if (!bytes) return policy.needed == 0 ? done() : Status(Error{ErrorKind::denied, "no cosigned checkpoint lies beside the log"});
  ASSIGN_OR_RETURN(const tlog::Checkpoint cosigned, tlog::open_checkpoint(*bytes, key));
  RETURN_IF_ERROR(check_cosignatures(*bytes, policy));
  ASSIGN_OR_RETURN(const tlog::SignedNote note, tlog::SignedNote::parse(*bytes));
  cosigners = cosigners_of(note, policy);
  if (cosigned.size > newest.size) {
    return Error{ErrorKind::corrupt, "rolled back: witnesses cosigned " + std::to_string(cosigned.size) +
                                         " entries, the log has " + std::to_string(newest.size)};
  }
  ASSIGN_OR_RETURN(const tlog::Hash root, tlog::root_of(TileNodes(folder, newest.size), cosigned.size));
  if (root != cosigned.root)
    return Error{ErrorKind::corrupt, "split view: witnesses cosigned another log of size " + std::to_string(cosigned.size)};
  return done();
}

Status check_continues(const std::filesystem::path& folder, const tlog::NoteKey& key, const tlog::Checkpoint& newest,
                       const std::optional<std::string>& seen_note) {
  if (!seen_note) return done();
  ASSIGN_OR_RETURN(const tlog::Checkpoint seen, tlog::open_checkpoint(*seen_note, key));
  if (seen.size > newest.size) {
    return Error{ErrorKind::corrupt, "rolled back: " + std::to_string(seen.size) + " entries were seen before, the log has " +
                                         std::to_string(newest.size)};
  }
  ASSIGN_OR_RETURN(const tlog::Hash root, tlog::root_of(TileNodes(folder, newest.size), seen.size));
  if (root != seen.root)
    return Error{ErrorKind::corrupt,
                 "split view or rewritten: another log of size " + std::to_string(seen.size) + " was seen before"};
  return done();
}

Status verify_folder(const Given& given, const tlog::NoteKey& key, const WitnessPolicy& policy) {
  ASSIGN_OR_RETURN(const auto seen, read_state(given.state));
  const Verdict verdict = verify_log(given.path, key, Journal::checked);
  if (!verdict.sound) return Error{ErrorKind::corrupt, verdict.fault};
  ASSIGN_OR_RETURN(const std::string note, read_file(std::filesystem::path(given.path) / "checkpoint", tlog::note_bytes_max));
  ASSIGN_OR_RETURN(const tlog::Checkpoint newest, tlog::open_checkpoint(note, key));
  std::vector<Cosigned> cosigners;
  RETURN_IF_ERROR(check_continues(given.path, key, newest, seen));
  RETURN_IF_ERROR(check_cosigned(given.path, key, newest, policy, cosigners));
  std::cout << "sound: " << verdict.size << " entries, " << verdict.checkpoint_size << " in the checkpoint, " << verdict.tenants
            << " tenants, " << verdict.heads << " heads"
            << (verdict.torn_tail ? ", a torn tail that nobody was answered for" : "") << "\n";
  print_cosigners(cosigners, policy);
  return write_state(given.state, note);
}

Status verify_bundle_file(const Given& given, const tlog::NoteKey& key, const WitnessPolicy& policy) {
  BundleExpected expected{key, {}, policy, std::nullopt};
  ASSIGN_OR_RETURN(expected.tenant, Id::parse(given.tenant));
  ASSIGN_OR_RETURN(const auto seen, read_state(given.state));
  if (seen) {
    ASSIGN_OR_RETURN(expected.remembered, Remembered::parse(*seen));
  }
  ASSIGN_OR_RETURN(const std::string bytes, read_file(given.path, bundle_bytes_max));
  const BundleVerdict verdict = verify_bundle(bytes, expected);
  if (!verdict.sound) return Error{ErrorKind::corrupt, verdict.fault};
  std::cout << "sound: entries " << verdict.first << " to " << verdict.last << ", " << verdict.connections
            << " connections, complete as of " << to_iso8601(verdict.heads_at) << ", log of " << verdict.size << " entries\n";
  print_cosigners(verdict.cosigners, policy);
  return write_state(given.state, verdict.state.encode());
}

Status verify_export_folder(const Given& given, const tlog::NoteKey& key) {
  const ExportVerdict verdict = verify_export(given.path, key);
  if (!verdict.sound) return Error{ErrorKind::corrupt, verdict.fault};
  std::cout << "sound: " << verdict.files << " files, " << verdict.items << " items of mailbox " << verdict.mailbox
            << " of tenant " << verdict.tenant.text() << ", exported at " << to_iso8601(verdict.at) << ", entry " << verdict.index
            << " of the log\n";
  if (verdict.failed > 0) std::cout << "incomplete: " << verdict.failed << " items did not open, INDEX.jsonl names them\n";
  return done();
}

Status run(const Given& given, const std::string& what) {
  const auto key = tlog::NoteKey::parse(given.key);
  if (!key) return Error{ErrorKind::invalid_input, "--key: expected the log's key as `mailhold ledger status` prints it"};
  if (what == "export") return verify_export_folder(given, *key);
  ASSIGN_OR_RETURN(const WitnessPolicy policy, policy_of(given));
  return what == "log" ? verify_folder(given, *key, policy) : verify_bundle_file(given, *key, policy);
}

}  // namespace

int main(int count, char** arguments) {
  Given given;
  CLI::App app{about};
  app.require_subcommand(1);
  CLI::App* const log = app.add_subcommand("log", "Check the folder of a ledger");
  CLI::App* const bundle = app.add_subcommand("bundle", "Check the bundle of a tenant");
  CLI::App* const exported = app.add_subcommand("export", "Check an export of a mailbox that was unpacked");
  exported->add_option("path", given.path, "Folder")->required();
  exported->add_option("--key", given.key, "Key of the log")->required();
  for (CLI::App* const each : {log, bundle}) {
    each->add_option("path", given.path, "Folder or file")->required();
    each->add_option("--key", given.key, "Key of the log")->required();
    each->add_option("--witness", given.witnesses, "Key of a witness; may be repeated");
    each->add_option("--needed", given.needed, "How many of them must have cosigned; all, unless given")
        ->each([&](const std::string&) { given.has_needed = true; });
    each->add_option("--state", given.state, "File with what was seen last time");
  }
  bundle->add_option("--tenant", given.tenant, "Id of the tenant, 32 hex digits")->required();
  CLI11_PARSE(app, count, arguments);
  const Status outcome = run(given, log->parsed() ? "log" : exported->parsed() ? "export" : "bundle");
  if (outcome) return 0;
  std::cout << "NOT SOUND: " << outcome.error().detail << std::endl;
  return outcome.error().kind == ErrorKind::invalid_input ? 2 : 1;
}
