// The two ends between workerd and the processes of tenants: SearchService in searchd starts one with its key and hands out
// the socket to it; SearchClient in workerd asks it. searchd itself sees no text and no question.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "core/keys/key_client.h"
#include "features/scanning/scanner_pool.h"
#include "features/search/search_messages.h"
#include "platform/ipc/server.h"

namespace mailhold::search {

class SearchService {
 public:
  // The processes come from `processes`; both outlive the service.
  SearchService(std::string region, keys::KeyClient& keys, scanning::WorkerSource& processes)
      : region_(std::move(region)), keys_(keys), processes_(processes) {}

  // Answers the call. denied for any peer but workerd. Any thread.
  void handle(const std::shared_ptr<ipc::Call>& call);

 private:
  Result<ipc::OwnedFd> open(const Id& tenant);

  const std::string region_;
  keys::KeyClient& keys_;
  scanning::WorkerSource& processes_;
  std::mutex mutex_;
  std::map<Id, std::uint64_t> numbers_;  // guarded by mutex_; of the process that each tenant had last
};

struct SearchSettings {
  std::size_t tenants_max = 8;  // processes at one time; the one idle the longest makes room
};

// Any thread; questions about one tenant take turns.
class SearchClient {
 public:
  // Gives a socket to the process of a tenant.
  using Open = std::function<Result<ipc::OwnedFd>(const Id& tenant, const Deadline& deadline)>;
  explicit SearchClient(Open open, SearchSettings settings = {}) : open_(std::move(open)), settings_(settings) {}

  Status add(const Id& tenant, const Batch& batch, const Deadline& deadline);
  Result<std::vector<Hit>> find(const Id& tenant, const Question& question, const Deadline& deadline);
  Result<std::vector<Cursor>> cursors(const Id& tenant, const Deadline& deadline);
  Result<Figures> figures(const Id& tenant, const Deadline& deadline);
  Status forget(const Id& tenant, const std::vector<Id>& messages, const Deadline& deadline);

 private:
  struct Lane {
    std::mutex turn;
    std::unique_ptr<ipc::Channel> channel;  // guarded by turn
  };
  Result<std::string> ask(const Id& tenant, Ask what, std::string_view body, const Deadline& deadline);
  std::shared_ptr<Lane> lane_of(const Id& tenant);

  const Open open_;
  const SearchSettings settings_;
  std::mutex mutex_;
  std::map<Id, std::pair<std::shared_ptr<Lane>, std::uint64_t>> lanes_;  // guarded by mutex_; with when it was used
  std::uint64_t uses_ = 0;
};

// Over the channel to searchd, which outlives it.
SearchClient::Open opened_by(std::shared_ptr<ipc::Client> searchd);

}  // namespace mailhold::search
