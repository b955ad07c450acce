// Watches: sees to it that each mailbox that is to be read continuously is watched, and says when one of them is to be read. A
// watch that ended is opened again by the rule of pauses.h; a server that cannot be watched is asked again after pause_max. One
// thread looks at all watches, another one opens them, which may take long.
//
// Any thread. `read_within` is called by a thread of its own that holds no lock of this class.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "features/recover/backup_book.h"
#include "features/recover/pauses.h"
#include "platform/net/parking.h"

namespace mailhold::recover {

struct WatchSettings {
  std::size_t watches_max = 128;               // open at once; each is a session
  std::chrono::milliseconds gather{1'000};     // what changes within it is one change
  std::chrono::milliseconds distance{10'000};  // between two changes that are told of one mailbox
  std::chrono::seconds unwatched_every{60};    // a mailbox without a watch is read so often
  std::chrono::seconds opening_max{60};
  std::chrono::seconds lasting{600};  // a watch that lasted so long was a good one: Pauses begin anew
};

class Watches {
 public:
  // A watch, and its socket, which is the watch's.
  struct Opened {
    std::unique_ptr<mailboxes::MailboxWatch> watch;
    int socket = -1;
  };
  struct Parts {
    // Errors as MailboxSource::watch, and of sessions.
    std::function<Result<Opened>(const Mailbox&, const Deadline&)> open;
    // The mailbox is to be read in so long at the latest.
    std::function<void(Id mailbox, std::chrono::seconds)> read_within;
  };
  Watches(WatchSettings settings, Parts parts) : settings_(settings), parts_(std::move(parts)), pauses_(pause_max) {}
  ~Watches() { stop(); }

  void start();
  void stop();  // all watches end at once

  // As the mailbox is now: from then on it is watched, or is not. It is not while its last sync did not come to its end: the
  // watch may be one session too many for the server.
  void want(const Mailbox& mailbox);
  void leave(Id mailbox);  // it is being removed
  // The mailbox is not watched while this lives: others need its sessions.
  [[nodiscard]] std::shared_ptr<void> step_aside(Id mailbox);

  bool is_open(Id mailbox);
  std::string shown(Id mailbox);  // for people: "open", or why not; empty if none is wanted
  struct Counts {
    std::size_t wanted = 0, open = 0;
  };
  Counts counts();

 private:
  using Moment = std::chrono::steady_clock::time_point;
  struct Watched {
    Mailbox mailbox;
    bool may_open = false;
    std::unique_ptr<mailboxes::MailboxWatch> watch{};  // while it is open
    int socket = -1;
    std::uint64_t tag = 0;
    Moment not_before{};  // of its next opening
    Moment opened_at{};
    std::optional<Moment> tell_at{};  // of a change that was not told yet
    Moment told_at{};
    std::string trouble{};
  };
  struct Told {
    Id mailbox;
    std::chrono::seconds within;
  };
  void open_all(const std::stop_token& stop);
  void look_at_all(const std::stop_token& stop);
  // All below with mutex_ held. What is to be told then, if anything.
  std::optional<Mailbox> next_to_open();
  std::optional<Told> take_opened(Id mailbox, Result<Opened> opened);
  std::optional<Told> look(Watched& watched);
  std::optional<Told> tell(Watched& watched);
  std::optional<Told> end(Watched& watched, const Error& error);
  void close(Watched& watched);
  void forget(Id mailbox);

  const WatchSettings settings_;
  const Parts parts_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::map<Id, Watched> watched_;     // guarded by mutex_, as all below
  std::map<std::uint64_t, Id> open_;  // by tag in parking_
  std::multiset<Id> aside_;
  std::uint64_t tags_ = 0;
  Pauses pauses_;
  std::optional<net::Parking> parking_;  // set by start()
  std::vector<std::jthread> threads_;
};

}  // namespace mailhold::recover
