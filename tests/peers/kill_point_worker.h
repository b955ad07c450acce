// The worker that tests/peers/backup_kill_points ends or robs of its disk: one job over the folder it is given, with keys, ids of
// messages and contents that are the same in every run. How it ended it tells its parent itself.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>

#include <filesystem>
#include <thread>

#include "base/bytes.h"
#include "base/log.h"
#include "base/text.h"
#include "core/store/message_store.h"
#include "features/mailboxes/dav/dav_mailbox.h"
#include "features/mailboxes/imap/imap_mailbox.h"
#include "features/recover/exports.h"
#include "features/recover/mailbox_sync.h"
#include "features/recover/restore.h"
#include "platform/blobs/files/file_blobs.h"
#include "platform/crypto/hash.h"

namespace mailhold::recover::kill_points {

namespace fs = std::filesystem;

constexpr int report_fd = 4, first_session_fd = 5, sessions_max = 16;  // a restore works on folders side by side

inline Deadline soon() { return Deadline::after(std::chrono::seconds(60)); }

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

// What is done, as the words of a worker name it: "dav-sync" is the sync of a mailbox of calendars and contacts.
using Job = std::string;
inline bool is_dav(const Job& job) { return job.starts_with("dav-"); }

// A worker's folder, opened as workerd opens it.
struct Worker {
  explicit Worker(const fs::path& folder, bool has_dav = false) {
    mailbox.id = Id::from_bytes("mailbox 01234567");
    mailbox.tenant = Id::from_bytes("tenant 012345678");
    mailbox.name = "ann@example.test";
    if (has_dav) mailbox.kind = mailboxes::MailboxKind::dav;
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

// What a worker says of its end.
struct Said {
  bool is_done = false;
  std::string kind, detail;  // of the error
  RestoreReport report;      // of a restore
};

using Sessions = std::atomic<int>;  // how many were opened

inline Result<ipc::OwnedFd> next_socket(Sessions& sessions) {
  const int number = sessions++;
  if (number >= sessions_max) return Error{ErrorKind::unavailable, "no more sessions"};
  return ipc::OwnedFd(first_session_fd + number);
}

inline Result<std::unique_ptr<mailboxes::MailboxTarget>> session(Sessions& sessions, bool has_dav, bool writes) {
  if (has_dav) {
    const auto dial = [&sessions](const Deadline&) -> Result<std::unique_ptr<net::Stream>> {
      ASSIGN_OR_RETURN(ipc::OwnedFd socket, next_socket(sessions));
      return net::stream_over(socket.release());
    };
    ASSIGN_OR_RETURN(auto target, mailboxes::DavMailbox::open(dial, {}, soon()));
    return std::unique_ptr<mailboxes::MailboxTarget>(std::move(target));
  }
  ASSIGN_OR_RETURN(ipc::OwnedFd socket, next_socket(sessions));
  ASSIGN_OR_RETURN(auto target, mailboxes::ImapMailbox::open(net::stream_over(socket.release()), writes, {}, soon()));
  return std::unique_ptr<mailboxes::MailboxTarget>(std::move(target));
}

// Contents in the order of their ids: every third one is to be released, the others stay.
struct Contents {
  std::vector<Id> going, staying;
};
inline Result<Contents> contents_of(Worker& worker) {
  ASSIGN_OR_RETURN(const auto rows,
                   worker.records->query("SELECT DISTINCT message FROM backup_items ORDER BY message", {}, soon()));
  Contents contents;
  for (std::size_t i = 0; i < rows.size(); ++i)
    (i % 3 == 0 ? contents.going : contents.staying).push_back(Id::from_bytes(rows[i][0].bytes()));
  return contents;
}

// In two turns, so that some bundles are written anew twice.
inline Status release(Worker& worker) {
  ASSIGN_OR_RETURN(const Contents contents, contents_of(worker));
  const auto middle = contents.going.begin() + static_cast<std::ptrdiff_t>(contents.going.size() / 2);
  RETURN_IF_ERROR(worker.store->release(worker.mailbox.tenant, {contents.going.begin(), middle}, soon()));
  RETURN_IF_ERROR(worker.store->release(worker.mailbox.tenant, {middle, contents.going.end()}, soon()));
  return done();
}

inline Status sync(Worker& worker, Milliseconds moment) {
  RETURN_IF_ERROR(worker.book->put_mailbox(worker.mailbox, soon()));
  Sessions sessions = 0;
  ASSIGN_OR_RETURN(const auto source, session(sessions, worker.mailbox.kind == mailboxes::MailboxKind::dav, false));
  SyncSettings settings;
  settings.step_items = 6;
  settings.rows_at_once = 3;
  settings.batch_bytes = 40'000;
  MailboxSync sync({*worker.book, *worker.store, worker.keys, *source}, worker.mailbox, moment, settings, {});
  return sync.run(soon());
}

inline Status restore(Worker& worker, Milliseconds moment, RestoreReport& report) {
  report.request.mailbox = worker.mailbox.id;
  report.request.as_of = moment;
  Sessions sessions = 0;
  Restore restore({*worker.book, *worker.store,
                   [&](const Deadline&) { return session(sessions, worker.mailbox.kind == mailboxes::MailboxKind::dav, true); }});
  RETURN_IF_ERROR(restore.run(report, {}, soon()));
  report.is_over = true;
  return report.is_exact() ? done() : Status(Error{ErrorKind::corrupt, "the restore is not exact"});
}

class Permitted final : public ExportPermits {
 public:
  explicit Permitted(Permit permit) : permit_(std::move(permit)) {}
  Result<Permit> begin(const std::string&, const Deadline&) override { return permit_; }
  Result<std::string> record(const std::string&, const ExportReport&, const Deadline&) override { return std::string("receipt"); }

 private:
  const Permit permit_;
};

inline fs::path export_file(const fs::path& folder) { return folder / "export.zip"; }

// As workerd does it; the file is opened as the command line does.
inline Status write_export(Worker& worker, const fs::path& folder, Milliseconds moment) {
  Permitted permits({worker.mailbox.tenant, {.mailbox = worker.mailbox.id, .as_of = moment}});
  const ManualClock clock(moment);
  Exports exports({*worker.book, *worker.store, worker.keys, permits, clock});
  ipc::OwnedFd file(::open(export_file(folder).c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file.is_open()) return Error{ErrorKind::unavailable, "the file can't be opened"};
  ASSIGN_OR_RETURN(const Id job, exports.write("0", std::move(file), soon()));
  for (;;) {
    ASSIGN_OR_RETURN(const Exports::View view, exports.view(job));
    if (view.over && !view.failure.empty()) return Error{ErrorKind::unavailable, view.failure};
    if (view.over) return view.report.failed == 0 ? done() : Status(Error{ErrorKind::unavailable, "items are missing in it"});
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// Contents of every size that a bundle takes, and some that are the same.
inline std::string letter(int number, std::size_t attachment_bytes) {
  std::string text =
      "Subject: letter " + std::to_string(number) + "\r\nFrom: bob@b.example\r\n\r\nHello " + std::to_string(number) + "\r\n";
  std::string content;
  while (content.size() < attachment_bytes)
    content += crypto::sha256(std::to_string(number % 7) + " " + std::to_string(content.size()));
  const std::string encoded = to_base64(content);
  for (std::size_t at = 0; at < encoded.size(); at += 76) text += encoded.substr(at, 76) + "\r\n";
  return text;
}

inline std::vector<std::string> import_frames() {
  std::vector<std::string> frames;
  for (int number = 0; number < 24; ++number) {
    if (number % 8 == 0) frames.push_back(folder_frame({"Old", std::to_string(2019 + number / 8)}));
    frames.push_back(message_frame(1'500'000'000'000 + number * 1000,
                                   number % 2 == 0 ? std::vector<std::string>{"\\Seen"} : std::vector<std::string>{},
                                   letter(number % 21, number % 4 == 0 ? 20'000 : 0)));
  }
  frames.push_back(end_frame(24));
  return frames;
}

inline Status import(Worker& worker, Milliseconds moment) {
  ASSIGN_OR_RETURN(auto ends, ipc::Channel::socket_pair());
  Permitted permits({});
  const ManualClock clock(moment);
  Exports exports({*worker.book, *worker.store, worker.keys, permits, clock});
  RETURN_IF_ERROR(exports.import(worker.mailbox.tenant, worker.mailbox.name, {}, std::move(ends.second), soon()));
  ipc::Channel channel(std::move(ends.first));
  for (const std::string& frame : import_frames()) {
    if (!channel.send(frame, soon())) break;  // it says why
  }
  ASSIGN_OR_RETURN(const ipc::Frame answer, channel.receive(soon()));
  RETURN_IF_ERROR(parse_import_answer(answer.bytes));
  return done();
}

inline Status work(const fs::path& folder, const Job& job, Milliseconds moment, RestoreReport& report) {
  Worker worker(folder, is_dav(job));
  if (job == "release") return release(worker);
  if (job == "export") return write_export(worker, folder, moment);
  if (job == "import") {
    RETURN_IF_ERROR(worker.book->put_mailbox(worker.mailbox, soon()));
    return import(worker, moment);
  }
  return job.ends_with("restore") ? restore(worker, moment, report) : sync(worker, moment);
}

// Over a socket, which no fault of a disk reaches.
inline void say(const Status& status, const RestoreReport& report) {
  ByteWriter writer;
  writer.u8(status ? 1 : 0).text(status ? "" : name_of(status.error().kind)).text(status ? "" : status.error().detail);
  const std::string bytes = writer.text(write_report(report)).take();
  (void)::send(report_fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

// Nothing: it said nothing, or not all.
inline std::optional<Said> parse_said(std::string_view bytes) {
  ByteReader reader(bytes);
  Said said;
  said.is_done = reader.u8() == 1;
  said.kind = reader.text();
  said.detail = reader.text();
  const auto report = parse_report(reader.text());
  if (!reader.finish() || !report) return std::nullopt;
  said.report = *report;
  return said;
}

}  // namespace mailhold::recover::kill_points
