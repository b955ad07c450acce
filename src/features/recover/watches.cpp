#include "features/recover/watches.h"

#include <algorithm>

#include "base/log.h"

namespace mailhold::recover {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr std::chrono::milliseconds look_time = 1s;  // how soon is seen what wakes nobody

}  // namespace

void Watches::start() {
  if (settings_.watches_max == 0) return;
  Result<net::Parking> parking = net::Parking::open();
  if (!parking) return log_error("backup", "no mailbox can be watched: " + parking.error().detail);
  parking_.emplace(std::move(*parking));
  threads_.emplace_back([this](const std::stop_token& stop) { open_all(stop); });
  threads_.emplace_back([this](const std::stop_token& stop) { look_at_all(stop); });
}

void Watches::stop() {
  for (std::jthread& each : threads_) each.request_stop();
  if (parking_) parking_->stop();
  wake_.notify_all();
  threads_.clear();
  const std::lock_guard lock(mutex_);
  watched_.clear();
  open_.clear();
}

void Watches::want(const Mailbox& mailbox) {
  const bool is_wanted = mailbox.schedule.reading == Reading::continuous && !mailbox.paused && !mailbox.connection.is_none();
  const std::lock_guard lock(mutex_);
  if (!is_wanted) return forget(mailbox.id);
  Watched& watched = watched_[mailbox.id];
  watched.mailbox = mailbox;
  watched.may_open = mailbox.synced_at != 0 && mailbox.tried_at == mailbox.synced_at;
  if (!watched.may_open && watched.watch != nullptr)
    (void)end(watched, {ErrorKind::unavailable, "its last sync did not come to its end"});
  wake_.notify_all();
}

std::shared_ptr<void> Watches::step_aside(Id mailbox) {
  const std::lock_guard lock(mutex_);
  aside_.insert(mailbox);
  if (const auto found = watched_.find(mailbox); found != watched_.end()) close(found->second);
  return {nullptr, [this, mailbox](void*) {
            const std::lock_guard guard(mutex_);
            aside_.erase(aside_.find(mailbox));
            wake_.notify_all();
          }};
}

void Watches::close(Watched& watched) {
  open_.erase(watched.tag);
  watched.watch.reset();  // with its socket, which so leaves the parking
  watched.tell_at.reset();
}

void Watches::leave(Id mailbox) {
  const std::lock_guard lock(mutex_);
  forget(mailbox);
}

void Watches::forget(Id mailbox) {
  pauses_.forget(mailbox);
  const auto found = watched_.find(mailbox);
  if (found == watched_.end()) return;
  close(found->second);
  watched_.erase(found);
}

bool Watches::is_open(Id mailbox) {
  const std::lock_guard lock(mutex_);
  const auto found = watched_.find(mailbox);
  return found != watched_.end() && found->second.watch != nullptr;
}

std::string Watches::shown(Id mailbox) {
  const std::lock_guard lock(mutex_);
  const auto found = watched_.find(mailbox);
  if (found == watched_.end()) return {};
  if (found->second.watch != nullptr) return "open";
  if (aside_.contains(mailbox)) return "closed while a restore or a proof works";
  if (!found->second.trouble.empty()) return found->second.trouble;
  if (open_.size() >= settings_.watches_max)
    return "as many mailboxes are watched as may be (backup.watches_max), and this is one more";
  return found->second.may_open ? "not open yet" : "opens after a sync that comes to its end";
}

Watches::Counts Watches::counts() {
  const std::lock_guard lock(mutex_);
  return {watched_.size(), open_.size()};
}

std::optional<Mailbox> Watches::next_to_open() {
  if (open_.size() >= settings_.watches_max) return std::nullopt;
  const Moment now = steady_clock::now();
  for (const auto& [id, watched] : watched_) {
    const bool may_open = watched.may_open && watched.not_before <= now && !aside_.contains(id);
    if (watched.watch == nullptr && may_open) return watched.mailbox;
  }
  return std::nullopt;
}

void Watches::open_all(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    const std::optional<Mailbox> mailbox = next_to_open();
    if (!mailbox) {
      wake_.wait_for(lock, stop, look_time, [this] { return next_to_open().has_value(); });
      continue;
    }
    lock.unlock();
    Result<Opened> opened = parts_.open(*mailbox, Deadline::after(settings_.opening_max, stop));
    lock.lock();
    const std::optional<Told> told = take_opened(mailbox->id, std::move(opened));
    lock.unlock();
    if (told) parts_.read_within(told->mailbox, told->within);
    lock.lock();
  }
}

std::optional<Watches::Told> Watches::take_opened(Id mailbox, Result<Opened> opened) {
  const auto found = watched_.find(mailbox);
  const bool is_wanted = found != watched_.end() && found->second.may_open && !aside_.contains(mailbox);
  if (!is_wanted) return std::nullopt;  // any more
  Watched& watched = found->second;
  watched.opened_at = steady_clock::now();
  if (!opened) return end(watched, opened.error());
  watched.watch = std::move(opened->watch);
  watched.socket = opened->socket;
  watched.tag = ++tags_;
  watched.tell_at.reset();
  watched.trouble.clear();
  open_[watched.tag] = mailbox;
  if (const Status added = parking_->add(watched.socket, watched.tag, net::Ready::to_read); !added)
    return end(watched, added.error());
  if (const auto ended = look(watched)) return ended;
  // What changed between the last sync and now is told by nobody.
  return Told{mailbox, 0s};
}

void Watches::look_at_all(const std::stop_token& stop) {
  std::chrono::milliseconds limit = look_time;
  while (!stop.stop_requested()) {
    const std::optional<std::uint64_t> ready = parking_->wait(limit);
    std::vector<Told> all;
    {
      const std::lock_guard lock(mutex_);
      Moment next = steady_clock::now() + look_time;
      for (const auto& [tag, mailbox] : std::map(open_)) {
        Watched& watched = watched_.at(mailbox);
        const bool is_due = watched.watch->look_by() <= steady_clock::now();
        std::optional<Told> told = tag == ready || is_due ? look(watched) : std::nullopt;
        if (!told) told = tell(watched);
        if (told) all.push_back(*told);
        if (watched.watch != nullptr) next = std::min({next, watched.watch->look_by(), watched.tell_at.value_or(next)});
      }
      limit = std::chrono::ceil<std::chrono::milliseconds>(std::max(next - steady_clock::now(), steady_clock::duration(0)));
    }
    for (const Told& told : all) parts_.read_within(told.mailbox, told.within);
  }
}

std::optional<Watches::Told> Watches::look(Watched& watched) {
  const Result<bool> changed = watched.watch->look();
  if (!changed) return end(watched, changed.error());
  if (*changed && !watched.tell_at)
    watched.tell_at = std::max(steady_clock::now() + settings_.gather, watched.told_at + settings_.distance);
  if (const Status armed = parking_->arm(watched.socket, watched.tag, net::Ready::to_read); !armed)
    return end(watched, armed.error());
  return std::nullopt;
}

std::optional<Watches::Told> Watches::tell(Watched& watched) {
  const Moment now = steady_clock::now();
  if (!watched.tell_at || *watched.tell_at > now) return std::nullopt;
  watched.tell_at.reset();
  watched.told_at = now;
  return Told{watched.mailbox.id, 0s};
}

std::optional<Watches::Told> Watches::end(Watched& watched, const Error& error) {
  const Moment now = steady_clock::now();
  const Id mailbox = watched.mailbox.id;
  const bool was_open = watched.watch != nullptr, had_change = watched.tell_at.has_value();
  const bool was_good = was_open && now - watched.opened_at >= settings_.lasting;
  const std::chrono::seconds pause = error.kind == ErrorKind::unsupported ? pause_max : pauses_.next(mailbox, was_good, 0s);
  watched.not_before = now + pause;
  watched.trouble = error.detail;
  close(watched);
  log_info("backup", "mailbox " + mailbox.text() + " is not watched for " + std::to_string(pause.count()) +
                         " s: " + std::string(name_of(error.kind)));
  if (!was_open) return std::nullopt;
  return Told{mailbox, had_change ? 0s : settings_.unwatched_every};
}

}  // namespace mailhold::recover
