// workerd: jobs that work on a tenant's server through sessions that brokerd opens. It holds no secret and has no network.
// It backs up mailboxes, restores them, and checks that a connection works. Wiring only.
#include <boost/json.hpp>

#include <filesystem>

#include "base/log.h"
#include "base/metrics.h"
#include "core/broker/session_check.h"
#include "core/settings/settings.h"
#include "features/recover/backup_metrics.h"
#include "features/recover/backup_verbs.h"
#include "features/recover/check_verbs.h"
#include "features/recover/export_verbs.h"
#include "features/recover/finding.h"
#include "features/recover/retention_job.h"
#include "features/recover/retention_verbs.h"
#include "platform/blobs/files/file_blobs.h"
#include "platform/ipc/daemon.h"
#include "platform/ipc/messages.h"
#include "platform/records/sqlite/sqlite_records.h"
#include "platform/sandbox/profiles.h"
#include "programs/workerd/broker_permits.h"
#include "programs/workerd/brokered.h"
#include "programs/workerd/jailed_comparer.h"
#include "programs/workerd/worker_keys.h"

namespace {

using namespace mailhold;
using namespace mailhold::worker;
using namespace std::chrono_literals;
namespace json = boost::json;

constexpr std::size_t scanning_workers_max = 4;

json::object object_of(std::string_view text) {
  boost::system::error_code error;
  const json::value parsed = json::parse(text, error);
  return !error && parsed.is_object() ? parsed.as_object() : json::object();
}

std::string word_of(const json::object& request, std::string_view name) {
  const json::value* found = request.if_contains(name);
  return found != nullptr && found->is_string() ? std::string(found->as_string()) : "";
}

// {"verb":"session.check", "connection", "purpose"}
Result<std::string> answer(broker::BrokerClient& brokerd, std::string_view text) {
  const json::object request = object_of(text);
  const auto word = [&](const char* name) { return word_of(request, name); };
  if (word("verb") != "session.check") return Error{ErrorKind::not_found, "there is no verb " + word("verb")};
  ASSIGN_OR_RETURN(const Id connection, Id::parse(word("connection")));
  ASSIGN_OR_RETURN(const broker::SessionCheck check, broker::check_session(brokerd, connection, word("kind"), word("purpose"),
                                                                           Deadline::after(std::chrono::seconds(90))));
  return json::serialize(json::object{
      {"connection", connection.text()}, {"works", true}, {"server_says", check.greeting}, {"milliseconds", check.milliseconds}});
}

store::StoreSettings store_settings(const std::filesystem::path& folder, const std::string& region) {
  store::StoreSettings chosen;
  chosen.folder = folder;
  chosen.region = region;
  chosen.compression = store::Compression::thorough;  // kept for years
  // Attachments too: one flush for a batch of them, where each blob takes three.
  chosen.packed_part_bytes_max = 8U << 20;
  chosen.notes_uses = true;
  chosen.bundle_messages_max = 64;
  return chosen;
}

recover::BackupSettings backup_settings(const Settings& settings) {
  recover::BackupSettings chosen;
  chosen.every = std::chrono::seconds(std::max<std::int64_t>(1, settings.number("backup.every_seconds")));
  chosen.sessions_max = static_cast<std::size_t>(std::clamp<std::int64_t>(settings.number("backup.sessions_max"), 1, 64));
  chosen.proof_hour = static_cast<int>(std::clamp<std::int64_t>(settings.number("backup.proof_hour"), 0, 24));
  chosen.proof_items =
      static_cast<std::size_t>(std::clamp<std::int64_t>(settings.number("backup.proof_items"), 1, recover::proof_items_max));
  chosen.patience = std::chrono::seconds(std::clamp<std::int64_t>(settings.number("backup.patience_seconds"), 0, 31 * 86'400));
  return chosen;
}

Status serve(ipc::Daemon& daemon) {
  ASSIGN_OR_RETURN(const Settings settings, Settings::from_map(daemon.settings()));
  sandbox::enter_or_exit(sandbox::profile_of("workerd", daemon.directories()));
  const std::string& region = settings.text("mailhold.region");
  const std::filesystem::path folder = daemon.directory("backup");
  const Deadline opening = Deadline::after(120s);

  keys::KeyClient keys(ipc::calls_to(daemon.peer("keyd")));
  WorkerKeys worker_keys(keys);
  broker::BrokerClient brokerd(daemon.peer("brokerd"));
  BrokerSessions sessions(brokerd);
  BrokerRules rules(brokerd);
  ASSIGN_OR_RETURN(const auto records, records::open_sqlite(folder / "backup.db", opening));
  ASSIGN_OR_RETURN(const auto blobs, blobs::FileBlobs::open(folder / "blobs"));
  ASSIGN_OR_RETURN(const auto store, store::MessageStore::open(store_settings(folder, region), *records, *blobs, worker_keys));
  ASSIGN_OR_RETURN(const auto book, recover::BackupBook::open(*records, region, worker_keys, opening));
  const auto scannerd = daemon.peer("scannerd");
  scanning::ScannerPool scanners(scanning::workers_of(*scannerd), {.workers_max = scanning_workers_max});
  JailedComparer comparer(scanners);
  const auto report_proof = [&rules](const recover::ProofRecord& proof, const Deadline& deadline) {
    const bool passed = proof.outcome == recover::ProofOutcome::passed;
    return rules.report(
        proof.tenant, proof.mailbox, "backup.proved",
        {{"items", proof.items}, {"bytes", proof.bytes}, {"differing", proof.differing}, {"passed", passed ? 1 : 0}}, deadline);
  };
  BrokerRestorePermits restore_permits(brokerd);
  recover::Backups backups(backup_settings(settings),
                           {*book, *store, worker_keys, sessions, system_clock(), &comparer, report_proof, &restore_permits});
  search::SearchSettings search_settings;
  search_settings.tenants_max = static_cast<std::size_t>(std::clamp<std::int64_t>(settings.number("search.tenants_max"), 1, 64));
  search::SearchClient search(search::opened_by(daemon.peer("searchd")), search_settings);
  recover::Retention retention(
      {*book, *store, rules, worker_keys, system_clock(), [&backups](Id mailbox) { return backups.let_go(mailbox); },
       [&search](Id tenant, const std::vector<Id>& contents, const Deadline& deadline) {
         return search.forget(tenant, contents, deadline);
       },
       static_cast<std::uint32_t>(std::clamp<std::int64_t>(settings.number("backup.report_days"), 1, 36'135))});
  recover::RetentionVerbs retention_verbs(retention, rules, *book, system_clock());
  recover::RetentionJob retention_job(
      retention, std::chrono::seconds(std::max<std::int64_t>(1, settings.number("backup.retention_seconds"))));
  recover::Indexing indexing({*book, *store, scanners, search});
  recover::Finding finding(*book, search, indexing, rules);
  recover::BackupVerbs verbs(backups, *book,
                             [&finding](const recover::Mailbox& mailbox, const std::string& query, Milliseconds moment,
                                        const Deadline& deadline) { return finding.items_of(mailbox, query, moment, deadline); });
  BrokerPermits permits(brokerd);
  recover::Exports exports({*book, *store, worker_keys, permits, system_clock()});
  recover::ExportVerbs export_verbs(exports);
  recover::Checks checks({*book, *store, worker_keys, system_clock()});
  recover::CheckVerbs check_verbs(checks, *book);
  metrics().before_telling([&backups] {
    const auto views = backups.list(Deadline::after(10s));
    if (views) recover::show_mailboxes(metrics(), *views, system_clock().now());  // sealed: as they were
    recover::show_restores(metrics(), backups.restores_waiting());
  });
  backups.start();
  indexing.start();
  retention_job.start();
  daemon.run([&](const std::shared_ptr<ipc::Call>& call) {
    if (call->peer != "apid" || call->method() != ipc::method_api)
      return call->fail(Error{ErrorKind::denied, "not for " + call->peer});
    const json::object request = object_of(call->body());
    const std::string verb = word_of(request, "verb");
    const Deadline deadline = Deadline::after(150s);
    if (verb.starts_with("session.")) return call->answer(answer(brokerd, call->body()));
    if (recover::ExportVerbs::knows(verb)) return call->answer(export_verbs.answer(call->body(), call->fds(), deadline));
    if (recover::RetentionVerbs::knows(verb)) return call->answer(retention_verbs.answer(call->body(), deadline));
    if (recover::CheckVerbs::knows(verb)) return call->answer(check_verbs.answer(call->body(), deadline));
    if (verb == "backup.find") return call->answer(finding.answer(call->body(), deadline));
    call->answer(verbs.answer(call->body(), deadline));
  });
  checks.stop();
  exports.stop();
  retention_job.stop();
  indexing.stop();
  backups.stop();
  return done();
}

}  // namespace

int main() {
  const auto daemon = ipc::Daemon::start("workerd");
  const Status served = serve(*daemon);
  if (!served) log_error("worker", served.error().detail);
  return served ? 0 : 70;
}
