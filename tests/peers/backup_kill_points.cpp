// Kills a backup, a restore and a release of contents at scripted points, and shows after each that nothing was lost, doubled or
// promised too early. The worker is this same program, started under strace, which ends it with SIGKILL, or fails its disk, at
// the n-th system call of a kind; the mailbox server lives on in the parent. Everything is the same in every run: keys, ids of
// messages, contents.
//
//   backup_kill_points FOLDER POINTS          prints "points held: N" and how many of them struck; exit 1 names the first that
//   did not hold
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>

#include "base/text.h"
#include "core/store/message_store.h"
#include "fakes/imap_server.h"
#include "features/mailboxes/imap/imap_mailbox.h"
#include "features/recover/mailbox_sync.h"
#include "features/recover/restore.h"
#include "platform/blobs/files/file_blobs.h"
#include "platform/crypto/hash.h"

namespace {

using namespace mailhold;
using namespace mailhold::recover;
namespace fs = std::filesystem;

constexpr Milliseconds hour = 3'600'000;
constexpr Milliseconds first_moment = Milliseconds{20'700} * 24 * hour + hour;
constexpr int first_session_fd = 5, sessions_max = 12;  // a restore works on folders side by side

Deadline soon() { return Deadline::after(std::chrono::seconds(60)); }

// The same keys in every process.
class DerivedKeys final : public store::StoreKeys {
 public:
  Result<store::EpochKey> day_key(Id tenant, store::Epoch epoch, const Deadline& deadline) override {
    return day_key(tenant, epoch, 1, deadline);
  }
  Result<store::EpochKey> day_key(Id tenant, store::Epoch epoch, std::uint32_t version, const Deadline&) override {
    return store::EpochKey{version, made(tenant, "day " + std::to_string(epoch))};
  }
  Result<SecretText> token_key(Id tenant, const Deadline&) override { return made(tenant, "token"); }
  Result<store::EpochKey> trace_key(Id, const Deadline&) override { return Error{ErrorKind::denied, "no trace"}; }

 private:
  static SecretText made(Id tenant, const std::string& name) {
    return SecretText::copy_of(crypto::sha256(std::string(tenant.bytes()) + name));
  }
};

// A worker's folder, opened as workerd opens it.
struct Worker {
  explicit Worker(const fs::path& folder) {
    mailbox.id = Id::from_bytes("mailbox 01234567");
    mailbox.tenant = Id::from_bytes("tenant 012345678");
    mailbox.name = "ann@example.test";
    records = *records::open("sqlite:" + (folder / "backup.db").string(), soon());
    blobs = *blobs::FileBlobs::open(folder / "blobs");
    store::StoreSettings settings;
    settings.folder = folder;
    settings.region = "test";
    settings.compression = store::Compression::thorough;
    settings.notes_uses = true;
    settings.bundle_messages_max = 32;
    settings.segment_bytes = 256U << 10;  // so that segments change over within a sync
    store = *store::MessageStore::open(settings, *records, *blobs, keys);
    book = *BackupBook::open(*records, "test", keys, soon());
  }
  DerivedKeys keys;
  Mailbox mailbox;
  std::unique_ptr<records::Records> records;
  std::unique_ptr<blobs::BlobStore> blobs;
  std::unique_ptr<store::MessageStore> store;
  std::unique_ptr<BackupBook> book;
};

using Job = std::string;  // "sync", "restore" or "release"

Result<std::unique_ptr<mailboxes::ImapMailbox>> session(std::atomic<int>& next, bool writes) {
  const int number = next++;
  if (number >= sessions_max) return Error{ErrorKind::unavailable, "no more sessions"};
  return mailboxes::ImapMailbox::open(net::stream_over(first_session_fd + number), writes, {}, soon());
}

// Contents in the order of their ids: every third one is to be released, the others stay.
struct Contents {
  std::vector<Id> going, staying;
};
Result<Contents> contents_of(Worker& worker) {
  ASSIGN_OR_RETURN(const auto rows,
                   worker.records->query("SELECT DISTINCT message FROM backup_items ORDER BY message", {}, soon()));
  Contents contents;
  for (std::size_t i = 0; i < rows.size(); ++i)
    (i % 3 == 0 ? contents.going : contents.staying).push_back(Id::from_bytes(rows[i][0].bytes()));
  return contents;
}

// In two turns, so that some bundles are written anew twice.
Status release(Worker& worker) {
  ASSIGN_OR_RETURN(const Contents contents, contents_of(worker));
  const auto middle = contents.going.begin() + static_cast<std::ptrdiff_t>(contents.going.size() / 2);
  RETURN_IF_ERROR(worker.store->release(worker.mailbox.tenant, {contents.going.begin(), middle}, soon()));
  RETURN_IF_ERROR(worker.store->release(worker.mailbox.tenant, {middle, contents.going.end()}, soon()));
  return done();
}

Status work(const fs::path& folder, const Job& job, Milliseconds moment) {
  Worker worker(folder);
  if (job == "release") return release(worker);
  std::atomic<int> next = 0;
  if (job == "sync") {
    RETURN_IF_ERROR(worker.book->put_mailbox(worker.mailbox, soon()));
    ASSIGN_OR_RETURN(const auto source, session(next, false));
    SyncSettings settings;
    settings.step_items = 6;
    settings.batch_bytes = 40'000;
    MailboxSync sync({*worker.book, *worker.store, worker.keys, *source}, worker.mailbox, moment, settings, {});
    return sync.run(soon());
  }
  RestoreReport report;
  report.request.mailbox = worker.mailbox.id;
  report.request.as_of = moment;
  Restore restore({*worker.book, *worker.store, [&](const Deadline&) -> Result<std::unique_ptr<mailboxes::MailboxTarget>> {
                     ASSIGN_OR_RETURN(auto target, session(next, true));
                     return std::unique_ptr<mailboxes::MailboxTarget>(std::move(target));
                   }});
  RETURN_IF_ERROR(restore.run(report, {}, soon()));
  report.is_over = true;
  return report.is_exact() ? done() : Status(Error{ErrorKind::corrupt, "the restore is not exact"});
}

// ---- the parent ----

using Picture = std::map<std::string, std::multiset<std::pair<std::string, std::vector<std::string>>>>;

std::string letter(int number, std::size_t attachment_bytes) {
  std::string text =
      "Subject: letter " + std::to_string(number) + "\r\nFrom: bob@b.example\r\n\r\nHello " + std::to_string(number) + "\r\n";
  std::string content;
  while (content.size() < attachment_bytes)
    content += crypto::sha256(std::to_string(number % 7) + " " + std::to_string(content.size()));
  const std::string encoded = to_base64(content);
  for (std::size_t at = 0; at < encoded.size(); at += 76) text += encoded.substr(at, 76) + "\r\n";
  return text;
}

void fill(FakeImapServer& server) {
  for (int number = 0; number < 24; ++number) {
    FakeFolder& folder = server.folders[number % 3 == 0 ? "Archive" : number % 3 == 1 ? "INBOX" : "Sent"];
    folder.add(letter(number % 21, number % 4 == 0 ? 20'000 : 0),
               number % 2 == 0 ? std::set<std::string>{"\\Seen"} : std::set<std::string>{});
  }
}

// What an owner does between two syncs.
void change(FakeImapServer& server) {
  server.folders["INBOX"].remove(1);
  server.folders["INBOX"].mark(0, {"\\Flagged"});
  server.folders.erase("Sent");
  server.folders["Later"].uid_validity = 4000;
  for (int number = 30; number < 36; ++number) server.folders["Later"].add(letter(number, number == 33 ? 30'000 : 0), {});
}

Picture at_server(FakeImapServer& server) {
  const std::lock_guard lock(server.mutex);
  Picture picture;
  for (const auto& [name, folder] : server.folders) {
    auto& contents = picture[name];
    for (const FakeMessage& message : folder.messages)
      contents.emplace(message.content, std::vector<std::string>(message.flags.begin(), message.flags.end()));
  }
  return picture;
}

// What the folder holds as of a moment; an item whose content does not open is an error: its row was ahead of it.
Result<Picture> backed_up(Worker& worker, Milliseconds moment) {
  Picture picture;
  ASSIGN_OR_RETURN(const auto folders, worker.book->folders_as_of(worker.mailbox, moment, soon()));
  for (const FolderRow& folder : folders) {
    auto& contents = picture[mailboxes::path_text(folder.folder.path)];
    ASSIGN_OR_RETURN(const auto items, worker.book->items_as_of(folder, moment, soon()));
    for (const ItemRow& item : items) {
      auto content = worker.store->retrieve(item.tenant, item.message, soon());
      if (!content) return content.error().while_doing("an item is there without its content");
      if (!item.has_content(crypto::sha256(*content))) return Error{ErrorKind::corrupt, "an item has another content"};
      contents.emplace(std::move(*content), item.head.flags);
    }
  }
  return picture;
}

std::int64_t versions(Worker& worker) {
  return (*worker.records->query("SELECT count(*) FROM backup_items", {}, soon()))[0][0].number();
}

struct Point {
  std::string calls;    // system calls, as strace names them
  std::string what;     // "signal=KILL" or "error=ENOSPC"
  unsigned number = 0;  // the n-th of a thread
};

class Rounds {
 public:
  Rounds(fs::path folder, std::string program) : folder_(std::move(folder)), program_(std::move(program)) {}

  // The exit code of the worker: 0 done, 1 it failed and said why, -1 killed. Without a point nothing is done to it.
  int run(FakeImapServer& server, const fs::path& data, const Job& job, Milliseconds moment, const std::optional<Point>& point,
          const fs::path& trace = {}) {
    std::vector<std::string> words;
    if (point || !trace.empty()) {
      words = {"/usr/bin/strace", "-f", "-qq", "-o", trace.empty() ? "/dev/null" : trace.string()};
      const std::string calls = point ? point->calls : all_calls();
      words.insert(words.end(), {"-e", "trace=" + calls, "-e", "signal=none"});
      if (point)
        words.insert(words.end(), {"-e", "inject=" + point->calls + ":" + point->what + ":when=" + std::to_string(point->number) +
                                             (point->what.starts_with("error") ? "+" : "")});
    }
    words.insert(words.end(), {program_, "--worker", data.string(), job, std::to_string(moment)});
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    std::vector<ipc::OwnedFd> sockets;
    for (int i = 0; i < sessions_max; ++i) {
      sockets.push_back(*server.open({}, {}, job, soon()));
      // Above the numbers they get, so that none is written over by the one before.
      const int high = ::fcntl(sockets.back().get(), F_DUPFD_CLOEXEC, 100);
      sockets.back() = ipc::OwnedFd(high);
      ::posix_spawn_file_actions_adddup2(&actions, high, first_session_fd + i);
    }
    pid_t child = -1;
    if (::posix_spawn(&child, arguments[0], &actions, nullptr, arguments.data(), environ) != 0) std::abort();
    ::posix_spawn_file_actions_destroy(&actions);
    sockets.clear();
    int state = 0;
    ::waitpid(child, &state, 0);
    return WIFEXITED(state) ? (WEXITSTATUS(state) >= 128 ? -1 : WEXITSTATUS(state)) : -1;
  }

  static std::string all_calls() {
    return "write,pwrite64,sendto,sendmsg,fdatasync,fsync,ftruncate,fallocate,openat,rename,renameat,renameat2,unlink,unlinkat,"
           "linkat";
  }

  // `count` points spread over what an undisturbed run does: two of three times the process ends, else its disk is full.
  std::vector<Point> points_of(const fs::path& trace, std::size_t count) {
    static const std::pair<const char*, const char*> kinds[] = {{"write,pwrite64", "signal=KILL"},
                                                                {"fdatasync,fsync", "signal=KILL"},
                                                                {"write,pwrite64,fallocate,ftruncate", "error=ENOSPC"},
                                                                {"sendto,sendmsg,write", "signal=KILL"},
                                                                {"openat,unlink,rename", "signal=KILL"},
                                                                {"fdatasync,fsync", "error=EIO"}};
    std::map<std::string, std::map<std::string, unsigned>> calls;  // thread -> call -> how often
    std::ifstream file(trace);
    for (std::string line; std::getline(file, line);) {
      const std::size_t space = line.find(' ');
      const std::size_t begin = line.find_first_not_of(' ', space), end = line.find('(', begin == std::string::npos ? 0 : begin);
      if (begin != std::string::npos && end != std::string::npos) ++calls[line.substr(0, space)][line.substr(begin, end - begin)];
    }
    std::vector<Point> kinds_there;  // with how often a thread makes such a call
    for (const auto& [names, what] : kinds) {
      Point most{names, what, 0};
      // strace counts each call of each thread by itself.
      for (const auto& [thread, of] : calls) {
        for (const auto name : split(names, ',')) {
          const auto found = of.find(std::string(name));
          if (found != of.end()) most.number = std::max(most.number, found->second);
        }
      }
      if (most.number > 0) kinds_there.push_back(most);
    }
    std::vector<Point> points;
    for (std::size_t i = 0; i < count && !kinds_there.empty(); ++i) {
      const Point& kind = kinds_there[i % kinds_there.size()];
      const std::size_t each = count / kinds_there.size() + 1;
      points.push_back({kind.calls, kind.what, 1 + static_cast<unsigned>(i / kinds_there.size() * kind.number / each)});
    }
    return points;
  }

  fs::path fresh(const std::string& name, const fs::path& like = {}) {
    const fs::path path = folder_ / name;
    fs::remove_all(path);
    if (like.empty())
      fs::create_directories(path);
    else
      fs::copy(like, path, fs::copy_options::recursive);
    return path;
  }

 private:
  const fs::path folder_;
  const std::string program_;
};

[[noreturn]] void broken(const Job& job, const Point& point, const std::string& what) {
  std::cout << job << ", " << point.what << " at call " << point.number << " of " << point.calls << ": " << what << std::endl;
  std::exit(1);
}

// One sync that is struck at a point, what is there then, and the sync after it.
bool sync_round(Rounds& rounds, const fs::path& like, Milliseconds moment, void (*prepare)(FakeImapServer&), const Point& point,
                std::int64_t versions_expected) {
  FakeImapServer server;
  prepare(server);
  const fs::path data = rounds.fresh("round", like);
  const bool struck = rounds.run(server, data, "sync", moment, point) != 0;
  {
    Worker worker(data);
    if (const auto seen = backed_up(worker, moment); !seen && seen.error().kind != ErrorKind::not_found)
      broken("sync", point, seen.error().detail);
  }
  if (rounds.run(server, data, "sync", moment + 1, std::nullopt) != 0)
    broken("sync", point, "the next sync does not come to its end");
  Worker worker(data);
  const auto seen = backed_up(worker, moment + 1);
  if (!seen) broken("sync", point, seen.error().detail);
  if (*seen != at_server(server)) broken("sync", point, "the backup differs from the mailbox");
  if (versions(worker) != versions_expected)
    broken("sync", point, std::to_string(versions(worker)) + " versions instead of " + std::to_string(versions_expected));
  return struck;
}

bool restore_round(Rounds& rounds, const fs::path& like, Milliseconds moment, const Picture& expected, const Point& point) {
  FakeImapServer server;
  const fs::path data = rounds.fresh("round", like);
  const bool struck = rounds.run(server, data, "restore", moment, point) != 0;
  if (rounds.run(server, data, "restore", moment, std::nullopt) != 0) broken("restore", point, "the next restore is not exact");
  if (at_server(server) != expected) broken("restore", point, "the mailbox is not what was backed up");
  return struck;
}

// What stays is there all the time, what goes is whole or gone, and in the end gone.
bool release_round(Rounds& rounds, const fs::path& like, const Point& point) {
  FakeImapServer server;
  const fs::path data = rounds.fresh("round", like);
  const bool struck = rounds.run(server, data, "release", 0, point) != 0;
  const auto check = [&](bool all_went) {
    Worker worker(data);
    const auto contents = contents_of(worker);
    if (!contents) broken("release", point, contents.error().detail);
    for (const Id& id : contents->staying) {
      const auto content = worker.store->retrieve(worker.mailbox.tenant, id, soon());
      if (!content) broken("release", point, "what was to stay went: " + content.error().detail);
    }
    for (const Id& id : contents->going) {
      const auto content = worker.store->retrieve(worker.mailbox.tenant, id, soon());
      if (content ? all_went : content.error().kind != ErrorKind::not_found)
        broken("release", point, content ? "what was to go is there" : content.error().detail);
    }
  };
  check(false);
  if (rounds.run(server, data, "release", 0, std::nullopt) != 0) broken("release", point, "the next release fails");
  check(true);
  return struck;
}

void filled(FakeImapServer& server) { fill(server); }
void changed(FakeImapServer& server) {
  fill(server);
  change(server);
}

int all_rounds(const fs::path& folder, std::size_t count, const std::string& program) {
  Rounds rounds(folder, program);
  // Undisturbed, for what is expected and where the points lie.
  FakeImapServer server;
  fill(server);
  const fs::path empty = rounds.fresh("empty"), first = rounds.fresh("first"), second_trace = folder / "second.trace";
  if (rounds.run(server, first, "sync", first_moment, std::nullopt, folder / "first.trace") != 0) return 1;
  std::int64_t first_versions = versions(*std::make_unique<Worker>(first));
  const fs::path second = rounds.fresh("second", first);
  const Milliseconds second_moment = first_moment + hour;
  FakeImapServer changed_server;
  changed(changed_server);
  if (rounds.run(changed_server, second, "sync", second_moment, std::nullopt, second_trace) != 0) return 1;
  std::int64_t second_versions = versions(*std::make_unique<Worker>(second));
  FakeImapServer target;
  const fs::path restoring = rounds.fresh("restoring", second);
  if (rounds.run(target, restoring, "restore", second_moment, std::nullopt, folder / "restore.trace") != 0) return 1;
  const fs::path releasing = rounds.fresh("releasing", second);
  if (rounds.run(target, releasing, "release", 0, std::nullopt, folder / "release.trace") != 0) return 1;
  const Picture expected = at_server(target);
  if (expected != at_server(changed_server)) return 1;

  std::size_t held = 0, struck = 0;
  for (const Point& point : rounds.points_of(folder / "first.trace", count * 3 / 10)) {
    struck += sync_round(rounds, empty, first_moment, filled, point, first_versions);
    ++held;
  }
  for (const Point& point : rounds.points_of(second_trace, count * 3 / 10)) {
    struck += sync_round(rounds, first, second_moment, changed, point, second_versions);
    ++held;
  }
  for (const Point& point : rounds.points_of(folder / "restore.trace", count * 2 / 10)) {
    struck += restore_round(rounds, second, second_moment, expected, point);
    ++held;
  }
  for (const Point& point : rounds.points_of(folder / "release.trace", count * 2 / 10)) {
    struck += release_round(rounds, second, point);
    ++held;
  }
  std::cout << "points held: " << held << ", struck: " << struck << std::endl;
  return struck * 3 >= held * 2 ? 0 : 1;  // a point that strikes nothing shows nothing; threads take turns as they will
}

}  // namespace

int main(int count, char** words) {
  if (count == 5 && std::string_view(words[1]) == "--worker") {
    const Status worked = work(words[2], words[3], static_cast<Milliseconds>(*to_number(words[4])));
    if (!worked) std::cerr << worked.error().detail << std::endl;
    ::_exit(worked ? 0 : 1);
  }
  if (count != 3 || !to_number(words[2])) return 2;
  return all_rounds(words[1], *to_number(words[2]), fs::read_symlink("/proc/self/exe").string());
}
