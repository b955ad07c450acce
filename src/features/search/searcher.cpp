#include "features/search/searcher.h"

#include "base/log.h"
#include "features/search/search_messages.h"
#include "platform/net/wait.h"

namespace mailhold::search {
namespace {

using namespace std::chrono_literals;

constexpr auto begin_time = 10s;
constexpr auto frame_time = 60s;
constexpr auto find_time = 20s;
constexpr auto quiet_time = 200ms;  // without a question, before the index is looked after
constexpr auto retry_time = 60s;    // after that failed

Result<std::string> empty(const Status& status) {
  if (!status) return status.error();
  return std::string();
}

class Searcher {
 public:
  Searcher(ipc::Channel& channel, TenantIndex& index, Id tenant) : channel_(channel), index_(index), tenant_(tenant) {}

  void serve() {
    for (;;) {
      const Status ready = net::wait_until(channel_.descriptor(), net::Ready::to_read, Deadline::after(wait_));
      if (!ready && ready.error().kind != ErrorKind::timed_out) return;
      if (!ready) {
        maintain();
        continue;
      }
      const auto frame = channel_.receive(Deadline::after(frame_time));
      if (!frame) return;
      const auto asked = parse_ask(frame->bytes);
      if (!asked || !channel_.send(encode_answer(answer(*asked)), Deadline::after(frame_time))) return;
      wait_ = quiet_time;
    }
  }

 private:
  void maintain() {
    const Result<bool> did = index_.maintain();
    if (!did) log_error("search", "the index of tenant " + tenant_.text() + " is not looked after: " + did.error().detail);
    wait_ = did && *did ? std::chrono::milliseconds(0) : retry_time;
  }

  Result<std::string> answer(const Asked& asked) {
    switch (asked.ask) {
      case Ask::add: {
        ASSIGN_OR_RETURN(const Batch batch, parse_batch(asked.body));
        RETURN_IF_ERROR(index_.add(batch));
        // Who sends without a pause must not outgrow the journal.
        if (++since_maintained_ >= 64) {
          since_maintained_ = 0;
          RETURN_IF_ERROR(index_.maintain());
        }
        return std::string();
      }
      case Ask::find: {
        ASSIGN_OR_RETURN(const Question question, parse_question(asked.body));
        ASSIGN_OR_RETURN(const std::vector<Hit> hits, index_.find(question, Deadline::after(find_time)));
        return encode(hits);
      }
      case Ask::cursors: return encode(index_.cursors());
      case Ask::figures: return encode(index_.figures());
      case Ask::forget: {
        ASSIGN_OR_RETURN(const std::vector<Id> messages, parse_ids(asked.body));
        return empty(index_.forget(messages));
      }
      case Ask::begin: break;
    }
    return Error{ErrorKind::unsupported, "no such question"};
  }

  ipc::Channel& channel_;
  TenantIndex& index_;
  const Id tenant_;
  std::chrono::milliseconds wait_ = quiet_time;
  unsigned since_maintained_ = 0;
};

}  // namespace

void serve_tenant(ipc::OwnedFd socket, const Id& tenant, const std::filesystem::path& folder, const IndexLimits& limits) {
  ipc::Channel channel(std::move(socket));
  const auto frame = channel.receive(Deadline::after(begin_time));
  if (!frame) return;
  const auto asked = parse_ask(frame->bytes);
  if (!asked || asked->ask != Ask::begin) return;
  auto beginning = parse_beginning(asked->body);
  if (!beginning || beginning->tenant != tenant) return;
  auto index = TenantIndex::open({beginning->region, tenant, beginning->key_version, std::move(beginning->key), folder}, limits);
  if (!index) log_error("search", "the index of tenant " + tenant.text() + " does not open: " + index.error().detail);
  const Status opened = index ? done() : Status(index.error());
  if (!channel.send(encode_answer(empty(opened)), Deadline::after(frame_time)) || !index) return;
  Searcher(channel, **index, tenant).serve();
}

}  // namespace mailhold::search
