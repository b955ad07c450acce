// Indicators: the operator's local list of bad addresses, one a line: a host, "*.domain",
// the beginning of a URL, or "sha256:" and the hex digest of a URL. '#' begins a comment.
// Reads in any thread while another reloads.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/result.h"
#include "formats/url/url.h"

namespace mailhold::links {

// A set of rules whose answer takes no longer when it grows. http and https, port and userinfo make no difference to a
// host rule; scheme and userinfo make none to the beginning of a URL.
class RuleSet {
 public:
  bool add(std::string_view rule);  // false: not a rule
  bool matches(const url::Url& url) const;
  std::size_t size() const { return hosts_.size() + domains_.size() + digests_.size() + prefixes_.size(); }

 private:
  std::unordered_set<std::string> hosts_;
  std::unordered_set<std::string> domains_;
  std::unordered_set<std::string> digests_;   // raw SHA-256 of hrefs
  std::unordered_set<std::string> prefixes_;  // "host:port/path?query"
  std::set<std::size_t> prefix_lengths_;
};

class Indicators {
 public:
  struct Loaded {
    std::size_t rules = 0, refused = 0;
  };

  // An empty path: no file, an empty list.
  explicit Indicators(std::filesystem::path file) : file_(std::move(file)) {}

  // Reads the file anew. On failure the rules in force stay. not_found, limit_exceeded (64 MiB), unavailable.
  Result<Loaded> reload();
  // Reloads when the file's time or size changed; cheap otherwise.
  void reload_if_changed();
  std::shared_ptr<const RuleSet> rules() const;

 private:
  std::filesystem::path file_;
  mutable std::mutex mutex_;
  std::shared_ptr<const RuleSet> rules_ = std::make_shared<RuleSet>();
  std::filesystem::file_time_type loaded_time_{};
  std::uintmax_t loaded_size_ = 0;
};

}  // namespace mailhold::links
