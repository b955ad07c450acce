// workerd: jobs that work on a tenant's server through sessions that brokerd opens. It holds no secret and has no network.
// It backs up mailboxes, restores them, and checks that a connection works. Wiring only.
#include <boost/json.hpp>

#include <filesystem>

#include "base/log.h"
#include "core/broker/session_check.h"
#include "core/keys/key_client.h"
#include "core/settings/settings.h"
#include "features/recover/backup_verbs.h"
#include "features/recover/export_verbs.h"
#include "platform/blobs/files/file_blobs.h"
#include "platform/ipc/daemon.h"
#include "platform/ipc/messages.h"
#include "platform/records/sqlite/sqlite_records.h"
#include "platform/sandbox/profiles.h"
#include "programs/workerd/broker_permits.h"

namespace {

using namespace mailhold;
namespace json = boost::json;

std::string word_of(std::string_view text, const char* name) {
  boost::system::error_code error;
  const json::value parsed = json::parse(text, error);
  const auto* request = error ? nullptr : parsed.if_object();
  const json::value* found = request == nullptr ? nullptr : request->if_contains(name);
  return found != nullptr && found->is_string() ? std::string(found->as_string()) : "";
}

// {"verb":"session.check", "connection", "purpose"}
Result<std::string> answer(broker::BrokerClient& brokerd, std::string_view text) {
  const auto word = [&](const char* name) { return word_of(text, name); };
  if (word("verb") != "session.check") return Error{ErrorKind::not_found, "there is no verb " + word("verb")};
  ASSIGN_OR_RETURN(const Id connection, Id::parse(word("connection")));
  ASSIGN_OR_RETURN(const broker::SessionCheck check, broker::check_session(brokerd, connection, word("kind"), word("purpose"),
                                                                           Deadline::after(std::chrono::seconds(90))));
  return json::serialize(json::object{
      {"connection", connection.text()}, {"works", true}, {"server_says", check.greeting}, {"milliseconds", check.milliseconds}});
}

using namespace std::chrono_literals;

// Sessions that brokerd opens: signed in already, filtered to their purpose.
class BrokerSessions final : public mailboxes::SessionSource {
 public:
  explicit BrokerSessions(broker::BrokerClient& brokerd) : brokerd_(brokerd) {}
  Result<ipc::OwnedFd> open(Id tenant, Id connection, std::string_view purpose, const Deadline& deadline) override {
    const Deadline opening = Deadline::after(std::min<std::chrono::milliseconds>(120s, deadline.left()), deadline.stop);
    return brokerd_.open_imap_session(connection, purpose, Id::random(), opening, tenant);
  }

 private:
  broker::BrokerClient& brokerd_;
};

// The keys of tenants that the store and the rows of backups need. Their days are epochs of their own.
class WorkerKeys final : public store::StoreKeys {
 public:
  explicit WorkerKeys(keys::KeyClient& keys) : keys_(keys) {}
  Result<store::EpochKey> day_key(Id tenant, store::Epoch epoch, const Deadline& deadline) override {
    return epoch_key(keys_.day_key(tenant, keys::backup_epoch_first + epoch, deadline));
  }
  Result<store::EpochKey> day_key(Id tenant, store::Epoch epoch, std::uint32_t version, const Deadline& deadline) override {
    return epoch_key(keys_.day_key(tenant, keys::backup_epoch_first + epoch, version, deadline));
  }
  Result<SecretText> token_key(Id tenant, const Deadline& deadline) override {
    ASSIGN_OR_RETURN(keys::PurposeKey key, keys_.token_key(tenant, deadline));
    return std::move(key.key);
  }
  Result<store::EpochKey> trace_key(Id, const Deadline&) override { return Error{ErrorKind::denied, "workerd traces nothing"}; }

 private:
  static Result<store::EpochKey> epoch_key(Result<keys::DayKey> key) {
    if (!key) return key.error();
    return store::EpochKey{key->version, std::move(key->key)};
  }
  keys::KeyClient& keys_;
};

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
  ASSIGN_OR_RETURN(const auto records, records::open_sqlite(folder / "backup.db", opening));
  ASSIGN_OR_RETURN(const auto blobs, blobs::FileBlobs::open(folder / "blobs"));
  store::StoreSettings store_settings;
  store_settings.folder = folder;
  store_settings.region = region;
  store_settings.compression = store::Compression::thorough;  // kept for years
  ASSIGN_OR_RETURN(const auto store, store::MessageStore::open(store_settings, *records, *blobs, worker_keys));
  ASSIGN_OR_RETURN(const auto book, recover::BackupBook::open(*records, region, worker_keys, opening));
  recover::BackupSettings backup_settings;
  backup_settings.every = std::chrono::seconds(std::max<std::int64_t>(1, settings.number("backup.every_seconds")));
  backup_settings.sessions_max =
      static_cast<std::size_t>(std::clamp<std::int64_t>(settings.number("backup.sessions_max"), 1, 64));
  recover::Backups backups(backup_settings, {*book, *store, worker_keys, sessions, system_clock()});
  recover::BackupVerbs verbs(backups, *book);
  worker::BrokerPermits permits(brokerd);
  recover::Exports exports({*book, *store, worker_keys, permits, system_clock()});
  recover::ExportVerbs export_verbs(exports);
  backups.start();
  daemon.run([&](const std::shared_ptr<ipc::Call>& call) {
    if (call->peer != "apid" || call->method() != ipc::method_api)
      return call->fail(Error{ErrorKind::denied, "not for " + call->peer});
    const std::string verb = word_of(call->body(), "verb");
    const Deadline deadline = Deadline::after(60s);
    if (verb.starts_with("session.")) return call->answer(answer(brokerd, call->body()));
    if (recover::ExportVerbs::knows(verb)) return call->answer(export_verbs.answer(call->body(), call->fds(), deadline));
    call->answer(verbs.answer(call->body(), deadline));
  });
  exports.stop();
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
