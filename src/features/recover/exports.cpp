#include "features/recover/exports.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/log.h"

namespace mailhold::recover {
namespace {

using namespace std::chrono_literals;

constexpr auto job_time = 24h;
constexpr auto answer_time = 30s;

Status write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      const std::string what = std::string("the file can't be written: ") + std::strerror(errno);
      return Error{ErrorKind::unavailable, what, what};
    }
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return done();
}

// For the person who asked: what is known to be fit to be told, else the kind.
std::string told(const Error& error) { return error.for_peer.empty() ? std::string(name_of(error.kind)) : error.for_peer; }

std::uint64_t count_items(BackupBook& book, const Mailbox& mailbox, Milliseconds moment, const Deadline& deadline) {
  const auto folders = book.folders_as_of(mailbox, moment, deadline);
  std::uint64_t items = 0;
  if (!folders) return items;
  for (const FolderRow& folder : *folders) {
    const auto count = book.count_items(folder.id, moment, deadline);
    items += count ? *count : 0;
  }
  return items;
}

}  // namespace

void Exports::stop() {
  std::vector<std::jthread> threads;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    threads.swap(threads_);
  }
  for (std::jthread& each : threads) each.request_stop();
}

Status Exports::make_room() {
  if (stopped_) return Error{ErrorKind::unavailable, "stopping"};
  const std::string what = "too many exports and imports at a time";
  if (running_ >= jobs_max) return Error{ErrorKind::limit_exceeded, what, what};
  while (order_.size() >= jobs_kept_max && jobs_[order_.front()].over) {
    jobs_.erase(order_.front());
    order_.erase(order_.begin());
  }
  ++running_;
  return done();
}

Result<Id> Exports::write(const std::string& operation, ipc::OwnedFd file, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const ExportPermits::Permit permit, parts_.permits.begin(operation, deadline));
  ASSIGN_OR_RETURN(const Mailbox mailbox, parts_.book.mailbox(permit.request.mailbox, deadline));
  if (mailbox.tenant != permit.tenant) return Error{ErrorKind::denied, "the mailbox is another tenant's"};
  const Id job = Id::random();
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(make_room());
  jobs_[job] = {};
  order_.push_back(job);
  threads_.emplace_back([this, job, operation, permit, held = std::make_shared<ipc::OwnedFd>(std::move(file))](
                            const std::stop_token& stop) { run_export(job, operation, permit, std::move(*held), stop); });
  return job;
}

void Exports::run_export(Id job, const std::string& operation, const ExportPermits::Permit& permit, ipc::OwnedFd file,
                         const std::stop_token& stop) {
  Export exporting(
      {parts_.book, parts_.store,
       [&](const ExportReport& report, const Deadline& deadline) { return parts_.permits.record(operation, report, deadline); }},
      [&](std::string_view bytes) { return write_all(file.get(), bytes); });
  Result<ExportReport> report = exporting.run(permit.request, Deadline::after(job_time, stop));
  if (report && ::fsync(file.get()) != 0 && errno != EINVAL && errno != EROFS) {
    const std::string what = std::string("the file can't be made durable: ") + std::strerror(errno);
    report = Error{ErrorKind::unavailable, what, what};
  }
  if (!report) log_warning("backup", "export " + job.text() + ": " + std::string(name_of(report.error().kind)));
  const std::lock_guard lock(mutex_);
  View& view = jobs_[job];
  view.over = true;
  if (report)
    view.report = *report;
  else
    view.failure = told(report.error());
  --running_;
}

Result<Exports::View> Exports::view(Id job) {
  const std::lock_guard lock(mutex_);
  const auto found = jobs_.find(job);
  if (found == jobs_.end())
    return Error{ErrorKind::not_found, "no such export", "no such export; it ends with the process that wrote it"};
  return found->second;
}

Result<Mailbox> Exports::mailbox_for(Id tenant, const std::string& name, Id restore_connection, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::vector<Mailbox> mailboxes, parts_.book.mailboxes(deadline));
  const auto found = std::find_if(mailboxes.begin(), mailboxes.end(),
                                  [&](const Mailbox& each) { return each.tenant == tenant && each.name == name; });
  if (found != mailboxes.end()) {
    const std::string what = "a mailbox of that name is backed up over a connection: import into another name";
    if (!found->connection.is_none()) return Error{ErrorKind::denied, what, what};
    if (restore_connection.is_none() || found->restore_connection == restore_connection) return *found;
  }
  Mailbox mailbox;
  if (found != mailboxes.end()) mailbox = *found;
  if (mailbox.id.is_none()) mailbox.id = Id::random();
  mailbox.tenant = tenant;
  mailbox.name = name;
  if (!restore_connection.is_none()) mailbox.restore_connection = restore_connection;
  RETURN_IF_ERROR(parts_.book.put_mailbox(mailbox, deadline));
  return mailbox;
}

Result<Id> Exports::import(Id tenant, const std::string& name, Id restore_connection, ipc::OwnedFd channel,
                           const Deadline& deadline) {
  ASSIGN_OR_RETURN(const Mailbox mailbox, mailbox_for(tenant, name, restore_connection, deadline));
  const std::lock_guard lock(mutex_);
  const std::string what = "an import into that mailbox is under way";
  if (importing_.contains(mailbox.id)) return Error{ErrorKind::already_exists, what, what};
  RETURN_IF_ERROR(make_room());
  importing_.insert(mailbox.id);
  threads_.emplace_back([this, mailbox, held = std::make_shared<ipc::OwnedFd>(std::move(channel))](const std::stop_token& stop) {
    run_import(mailbox, std::move(*held), stop);
  });
  return mailbox.id;
}

void Exports::run_import(const Mailbox& mailbox, ipc::OwnedFd socket, const std::stop_token& stop) {
  ipc::Channel channel(std::move(socket));
  const Milliseconds moment = std::max(parts_.clock.now(), mailbox.synced_at + 1);
  Import importing({parts_.book, parts_.store, parts_.keys}, mailbox, moment);
  Result<ImportReport> report = importing.run(channel, Deadline::after(job_time, stop));
  const Deadline closing = Deadline::after(answer_time, stop);
  if (report) {
    Mailbox row = mailbox;
    row.state = MailboxState::current;
    row.synced_at = row.tried_at = moment;
    row.items = count_items(parts_.book, mailbox, moment, closing);
    if (const Status put = parts_.book.put_mailbox(row, closing); !put) report = put.error();
  }
  if (!report) log_warning("backup", "import into " + mailbox.id.text() + ": " + std::string(name_of(report.error().kind)));
  (void)channel.send(write_import_answer(report), closing);  // who went away asks the list
  const std::lock_guard lock(mutex_);
  importing_.erase(mailbox.id);
  --running_;
}

}  // namespace mailhold::recover
