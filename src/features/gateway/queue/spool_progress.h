// SpoolProgress: how far the messages of each spool segment are: a segment may go when every message in
// it is settled (finished, held, or waiting with a row of its own) and kept in the store (or needs no keeping).
// Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

namespace mailhold::queue {

class SpoolProgress {
 public:
  void seen(std::uint64_t segment);
  void settled(std::uint64_t segment);
  void kept(std::uint64_t segment);
  // Something in it can be neither read nor kept: it stays for the operator.
  void pin(std::uint64_t segment);
  // Everything in it was seen: the intake is in a later one.
  void passed(std::uint64_t segment);

  std::vector<std::uint64_t> removable() const;
  bool has(std::uint64_t segment) const;
  void removed(std::uint64_t segment);

 private:
  struct Segment {
    std::uint64_t seen = 0, settled = 0, kept = 0;
    bool is_pinned = false, is_passed = false;
  };
  mutable std::mutex mutex_;
  std::map<std::uint64_t, Segment> segments_;  // guarded by mutex_
};

}  // namespace mailhold::queue
