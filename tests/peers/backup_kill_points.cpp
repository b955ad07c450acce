// Kills syncs, restores, a release of contents, an export and an import at scripted points, or fills their disk, and shows after
// each that nothing was lost, doubled or promised too early, and that what the struck worker said of itself is true. The worker
// is this same program, started under strace; the mailbox server lives on in the parent. Everything is the same in every run:
// keys, ids of messages, contents.
//
//   backup_kill_points FOLDER POINTS          prints "points held: N", how many of them struck and how many
//   workers ended by themselves; exit 1 names the first that
//   did not hold
#include <iostream>

#include "fakes/dav_server.h"
#include "fakes/imap_server.h"
#include "peers/kill_rounds.h"

namespace {

using namespace mailhold;
using namespace mailhold::recover;
using namespace mailhold::recover::kill_points;

constexpr Milliseconds hour = 3'600'000;
constexpr Milliseconds first_moment = Milliseconds{20'700} * 24 * hour + hour;

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

class ImapPeer final : public Peer {
 public:
  Result<ipc::OwnedFd> open_session() override { return server.open({}, {}, "", soon()); }
  Picture picture() override {
    const std::lock_guard lock(server.mutex);
    Picture picture;
    for (const auto& [name, folder] : server.folders) {
      auto& contents = picture[name];
      for (const FakeMessage& message : folder.messages)
        contents.emplace(message.content, std::vector<std::string>(message.flags.begin(), message.flags.end()));
    }
    return picture;
  }
  FakeImapServer server;
};

class DavPeer final : public Peer {
 public:
  DavPeer() { server.collections.clear(); }
  Result<ipc::OwnedFd> open_session() override { return server.open_http({}, {}, "", soon()); }
  Picture picture() override {
    const std::lock_guard lock(server.mutex);
    Picture picture;
    for (const auto& [path, collection] : server.collections) {
      auto& contents = picture[(collection.is_calendar ? "Calendars/" : "Address books/") + collection.name];
      for (const auto& [name, item] : collection.items) contents.emplace(item.content, std::vector<std::string>());
    }
    return picture;
  }
  FakeDavServer server;
};

std::string event(int number, std::size_t description_bytes = 0) {
  return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:e" + std::to_string(number) + "\r\nSUMMARY:event " +
         std::to_string(number) + "\r\nDESCRIPTION:" + std::string(description_bytes, 'x') +
         "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
}

std::string contact(int number) {
  return "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:c" + std::to_string(number) + "\r\nFN:contact " + std::to_string(number) +
         "\r\nEND:VCARD\r\n";
}

void fill(FakeDavServer& server) {
  FakeCollection& work = server.collections["/dav/cal/ann/work/"];
  work.name = "Work";
  for (int number = 0; number < 14; ++number)
    work.put("e" + std::to_string(number) + ".ics", event(number, number % 5 == 0 ? 20'000 : 0));
  FakeCollection& friends = server.collections["/dav/card/ann/friends/"];
  friends.name = "Friends";
  friends.is_calendar = false;
  for (int number = 0; number < 8; ++number) friends.put("c" + std::to_string(number) + ".vcf", contact(number));
}

void change(FakeDavServer& server) {
  FakeCollection& work = server.collections["/dav/cal/ann/work/"];
  work.put("e3.ics", event(33));
  work.remove("e4.ics");
  FakeCollection& later = server.collections["/dav/cal/ann/later/"];
  later.name = "Later";
  for (int number = 40; number < 48; ++number) later.put("e" + std::to_string(number) + ".ics", event(number));
  server.collections["/dav/card/ann/friends/"].remove("c1.vcf");
}

// A mailbox as it is at one time; nothing at all in the third.
enum class Stage : std::uint8_t { filled, changed, gone };

std::unique_ptr<Peer> peer_at(bool has_dav, Stage stage) {
  const auto at = [stage](auto peer) -> std::unique_ptr<Peer> {
    if (stage != Stage::gone) fill(peer->server);
    if (stage == Stage::changed) change(peer->server);
    return peer;
  };
  return has_dav ? at(std::make_unique<DavPeer>()) : at(std::make_unique<ImapPeer>());
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

[[noreturn]] void broken(const Job& job, const Point& point, const std::string& what) {
  std::cout << job << ", " << point.what << " at call " << point.number << " of " << point.calls << ": " << what << std::endl;
  std::exit(1);
}

// A job, how it is run undisturbed, and what must be true of its folder and its server at any time and in the end.
struct Scene {
  Job job;
  unsigned share = 0;          // of a hundred points
  fs::path like;               // the folder before
  std::optional<Stage> stage;  // of the mailbox at the server; none: it asks no server
  Milliseconds moment = 0;
  // The answer is what does not hold: after a strike, and once the job is done.
  std::function<std::string(const fs::path& data, Peer* peer, Milliseconds moment)> always = {};
  std::function<std::string(const fs::path& data, Peer* peer, Milliseconds moment)> in_the_end = {};
};

std::string empty_if(bool holds, const std::string& otherwise) { return holds ? "" : otherwise; }

std::string opens(const fs::path& data, bool has_dav, Milliseconds moment) {
  Worker worker(data, has_dav);
  const auto seen = backed_up(worker, moment);
  return empty_if(seen || seen.error().kind == ErrorKind::not_found, seen ? "" : seen.error().detail);
}

// The mailbox is seen as it was, and each of its items has as many versions as it had.
std::string is_backed_up(const fs::path& data, bool has_dav, Milliseconds moment, const Picture& expected, std::int64_t count) {
  Worker worker(data, has_dav);
  const auto seen = backed_up(worker, moment);
  if (!seen) return seen.error().detail;
  if (*seen != expected) return "the backup differs from the mailbox";
  return empty_if(versions(worker) == count, std::to_string(versions(worker)) + " versions instead of " + std::to_string(count));
}

// What stays is there all the time, what goes is whole or gone, and in the end gone.
std::string is_released(const fs::path& data, bool all_went) {
  Worker worker(data);
  const auto contents = contents_of(worker);
  if (!contents) return contents.error().detail;
  for (const Id& id : contents->staying) {
    const auto content = worker.store->retrieve(worker.mailbox.tenant, id, soon());
    if (!content) return "what was to stay went: " + content.error().detail;
  }
  for (const Id& id : contents->going) {
    const auto content = worker.store->retrieve(worker.mailbox.tenant, id, soon());
    if (content ? all_went : content.error().kind != ErrorKind::not_found)
      return content ? "what was to go is there" : content.error().detail;
  }
  return "";
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// What a worker that lost its disk said of itself is true.
std::string is_true(const Scene& scene, const Said& said, const fs::path& data, Peer* peer) {
  if (said.is_done) return scene.in_the_end(data, peer, scene.moment);
  if (said.detail.empty()) return "it failed and did not say why";
  if (said.kind != "unavailable") return "a disk that fails is said to be " + said.kind + ": " + said.detail;
  if (!scene.job.ends_with("restore")) return "";
  if (said.report.is_exact()) return "it failed, and its report is exact";
  std::size_t there = 0;
  for (const auto& [folder, contents] : peer->picture()) there += contents.size();
  return empty_if(said.report.count(Outcome::restored) <= there, "it says more was put back than is there");
}

// One that is struck at a point, what is there then, and the same once more.
Ended round(Rounds& rounds, const Scene& scene, const Point& point) {
  const auto peer = scene.stage ? peer_at(is_dav(scene.job), *scene.stage) : nullptr;
  const fs::path data = rounds.fresh("round", scene.like);
  const auto check = [&](const std::string& what) {
    if (!what.empty()) broken(scene.job, point, what);
  };
  const Ended ended = rounds.run(peer.get(), data, scene.job, scene.moment, point);
  if (scene.always) check(scene.always(data, peer.get(), scene.moment));
  if (!ended.was_killed) check(is_true(scene, ended.said, data, peer.get()));
  const Ended again = rounds.run(peer.get(), data, scene.job, scene.moment + 1, std::nullopt);
  if (!again.said.is_done) broken(scene.job, point, "it does not come to its end the next time: " + again.said.detail);
  check(scene.in_the_end(data, peer.get(), scene.moment + 1));
  return ended;
}

// Undisturbed: the folder afterwards, and a trace of it. Nothing: it failed.
std::optional<fs::path> undisturbed(Rounds& rounds, const fs::path& folder, const Scene& scene, const std::string& name,
                                    Peer* peer = nullptr) {
  const auto own = peer == nullptr && scene.stage ? peer_at(is_dav(scene.job), *scene.stage) : nullptr;
  const fs::path data = rounds.fresh(name, scene.like);
  const Ended ended =
      rounds.run(peer != nullptr ? peer : own.get(), data, scene.job, scene.moment, std::nullopt, folder / (name + ".trace"));
  if (ended.said.is_done) return data;
  std::cout << scene.job << ": " << ended.said.detail << std::endl;
  return std::nullopt;
}

// Of a hundred points, for two syncs and a restore of a mailbox.
struct Shares {
  unsigned first = 0, second = 0, restore = 0;
};

class All {
 public:
  All(fs::path folder, std::size_t count, std::string program)
      : folder_(std::move(folder)), count_(count), rounds_(folder_, std::move(program)), empty_(rounds_.fresh("empty")) {}

  int run() {
    const auto mail = mailbox("", {18, 18, 14});
    const auto dav = mailbox("dav-", {10, 8, 8});
    if (!mail || !dav || !release(*mail) || !write_export(*mail) || !import()) return 1;
    std::cout << "points held: " << held_ << ", struck: " << struck_ << ", failed and said so: " << failed_ << std::endl;
    return struck_ * 3 >= held_ * 2 ? 0 : 1;  // a point that strikes nothing shows nothing; threads take turns as they will
  }

 private:
  static constexpr Milliseconds second_moment = first_moment + hour;

  void strike(const Scene& scene, const std::string& name) {
    std::size_t killed = 0, failed = 0;
    const auto points = rounds_.points_of(folder_ / (name + ".trace"), count_ * scene.share / 100);
    for (const Point& point : points) {
      const Ended ended = round(rounds_, scene, point);
      killed += ended.was_killed;
      failed += !ended.was_killed && !ended.said.is_done;
    }
    std::cout << name << ": " << points.size() << ", killed: " << killed << ", failed and said so: " << failed << std::endl;
    held_ += points.size();
    struck_ += killed + failed;
    failed_ += failed;
  }

  // The folder after the second sync; nothing: something fails undisturbed.
  std::optional<fs::path> mailbox(const std::string& kind, const Shares& shares) {
    const bool has_dav = is_dav(kind);
    const auto sync = [&](unsigned share, const fs::path& like, Stage stage, Milliseconds moment) {
      Scene scene{kind + "sync", share, like, stage, moment};
      scene.always = [has_dav](const fs::path& data, Peer*, Milliseconds at) { return opens(data, has_dav, at); };
      return scene;
    };
    Scene first = sync(shares.first, empty_, Stage::filled, first_moment);
    const auto after_first = undisturbed(rounds_, folder_, first, kind + "first");
    if (!after_first) return std::nullopt;
    Scene second = sync(shares.second, *after_first, Stage::changed, second_moment);
    const auto after_second = undisturbed(rounds_, folder_, second, kind + "second");
    if (!after_second) return std::nullopt;
    for (auto [scene, data] : {std::pair{&first, &*after_first}, {&second, &*after_second}}) {
      const std::int64_t count = versions(*std::make_unique<Worker>(*data, has_dav));
      scene->in_the_end = [has_dav, count](const fs::path& at, Peer* peer, Milliseconds moment) {
        return is_backed_up(at, has_dav, moment, peer->picture(), count);
      };
    }
    const Picture expected = peer_at(has_dav, Stage::changed)->picture();
    Scene restore{kind + "restore", shares.restore, *after_second, Stage::gone, second_moment};
    restore.in_the_end = [expected](const fs::path&, Peer* peer, Milliseconds) {
      return empty_if(peer->picture() == expected, "the mailbox is not what was backed up");
    };
    const auto target = peer_at(has_dav, Stage::gone);
    if (!undisturbed(rounds_, folder_, restore, kind + "restore", target.get()) || target->picture() != expected)
      return std::nullopt;
    strike(first, kind + "first");
    strike(second, kind + "second");
    strike(restore, kind + "restore");
    return after_second;
  }

  bool release(const fs::path& like) {
    Scene scene{"release", 14, like, std::nullopt, 0};
    scene.always = [](const fs::path& data, Peer*, Milliseconds) { return is_released(data, false); };
    scene.in_the_end = [](const fs::path& data, Peer*, Milliseconds) { return is_released(data, true); };
    if (!undisturbed(rounds_, folder_, scene, "release")) return false;
    strike(scene, "release");
    return true;
  }

  // Whoever was told that it is done has the whole file; the backup stays as it was.
  bool write_export(const fs::path& like) {
    const Picture expected = peer_at(false, Stage::changed)->picture();
    const std::int64_t count = versions(*std::make_unique<Worker>(like));
    Scene scene{"export", 8, like, std::nullopt, second_moment};
    const auto data = undisturbed(rounds_, folder_, scene, "export");
    const std::string whole = data ? read_file(export_file(*data)) : "";
    if (whole.empty()) return false;
    scene.always = [expected, count](const fs::path& at, Peer*, Milliseconds) {
      return is_backed_up(at, false, second_moment, expected, count);
    };
    scene.in_the_end = [whole](const fs::path& at, Peer*, Milliseconds) {
      return empty_if(read_file(export_file(at)) == whole, "the export is another file");
    };
    strike(scene, "export");
    return true;
  }

  bool import() {
    Scene scene{"import", 10, empty_, std::nullopt, first_moment};
    scene.always = [](const fs::path& data, Peer*, Milliseconds moment) { return opens(data, false, moment); };
    const auto data = undisturbed(rounds_, folder_, scene, "import");
    if (!data) return false;
    Worker worker(*data);
    const auto expected = backed_up(worker, first_moment);
    if (!expected || expected->size() != 3) return false;
    scene.in_the_end = [expected = *expected, count = versions(worker)](const fs::path& at, Peer*, Milliseconds moment) {
      return is_backed_up(at, false, moment, expected, count);
    };
    strike(scene, "import");
    return true;
  }

  const fs::path folder_;
  const std::size_t count_;
  Rounds rounds_;
  const fs::path empty_;
  std::size_t held_ = 0, struck_ = 0, failed_ = 0;
};

}  // namespace

int main(int count, char** words) {
  if (count == 5 && std::string_view(words[1]) == "--worker") {
    RestoreReport report;
    const Status worked = work(words[2], words[3], static_cast<Milliseconds>(*to_number(words[4])), report);
    say(worked, report);
    ::_exit(worked ? 0 : 1);
  }
  if (count != 3 || !to_number(words[2])) return 2;
  return All(words[1], *to_number(words[2]), fs::read_symlink("/proc/self/exe").string()).run();
}
