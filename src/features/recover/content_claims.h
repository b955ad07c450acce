// ContentClaims: contents that a sync is about to name in the book. Between keeping a content and writing its row nothing
// in the book names it, and whoever releases what is not named must leave it alone. Any thread. Internal to this room.
#pragma once

#include <map>
#include <mutex>
#include <set>

#include "base/id.h"

namespace mailhold::recover {

class ContentClaims {
 public:
  // The claims of one sync; they end with it, or with clear(). Any thread.
  class Owner {
   public:
    explicit Owner(ContentClaims& claims) : claims_(claims) {}
    ~Owner() { clear(); }
    Owner(const Owner&) = delete;
    Owner& operator=(const Owner&) = delete;
    // Waits while contents are being released.
    void add(Id content) {
      const std::lock_guard lock(claims_.mutex_);
      if (own_.insert(content).second) ++claims_.counts_[content];
    }
    // Their rows are durable, or never will be.
    void clear() {
      const std::lock_guard lock(claims_.mutex_);
      for (const Id& content : own_) {
        const auto found = claims_.counts_.find(content);
        if (--found->second == 0) claims_.counts_.erase(found);
      }
      own_.clear();
    }

   private:
    ContentClaims& claims_;
    std::set<Id> own_;  // guarded by claims_.mutex_
  };

  // Held by whoever looks whether a kept content is whole, until it is kept anew if it is not: what another one has just kept
  // anew must not be taken for the damaged one.
  std::mutex& repairing() { return repairing_; }

  // While it lives no content is claimed anew.
  class Pause {
   public:
    explicit Pause(ContentClaims& claims) : claims_(claims), lock_(claims.mutex_) {}
    bool is_claimed(Id content) const { return claims_.counts_.contains(content); }

   private:
    ContentClaims& claims_;
    std::unique_lock<std::mutex> lock_;
  };

 private:
  std::mutex repairing_;
  std::mutex mutex_;
  std::map<Id, std::size_t> counts_;  // guarded by mutex_
};

}  // namespace mailhold::recover
