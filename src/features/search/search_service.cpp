#include "features/search/search_service.h"

#include <unistd.h>

#include "base/bytes.h"
#include "platform/ipc/client.h"

namespace mailhold::search {
namespace {

using namespace std::chrono_literals;

constexpr auto start_time = 30s;  // opening an index replays its journal
constexpr auto key_time = 10s;

// One question on a channel.
Result<std::string> ask_on(ipc::Channel& channel, Ask what, std::string_view body, const Deadline& deadline) {
  RETURN_IF_ERROR(channel.send(encode_ask(what, body), deadline));
  ASSIGN_OR_RETURN(const ipc::Frame frame, channel.receive(deadline));
  if (!frame.fds.empty()) return Error{ErrorKind::corrupt, "a search process sent a descriptor"};
  return std::string(frame.bytes);
}

}  // namespace

void SearchService::handle(const std::shared_ptr<ipc::Call>& call) {
  if (call->peer != "workerd") return call->fail({ErrorKind::denied, "only workerd may search"});
  if (call->method() != method_open) return call->fail({ErrorKind::unsupported, "no such method"});
  ByteReader reader(call->body());
  const Id tenant = Id::from_bytes(reader.raw(Id::size));
  if (!reader.finish() || tenant.is_none()) return call->fail({ErrorKind::invalid_input, "no tenant"});
  const Result<ipc::OwnedFd> socket = open(tenant);
  if (!socket) return call->fail(socket.error());
  const int descriptor = socket->get();
  call->reply({}, std::span<const int>(&descriptor, 1));
}

Result<ipc::OwnedFd> SearchService::open(const Id& tenant) {
  ASSIGN_OR_RETURN(keys::PurposeKey key, keys_.purpose_key(tenant, keys::Purpose::index, Deadline::after(key_time)));
  const Deadline deadline = Deadline::after(start_time);
  const auto start = [&]() -> Result<ipc::OwnedFd> {
    const std::lock_guard lock(mutex_);
    // One process for each tenant: whoever asks again has lost the one before.
    if (const auto before = numbers_.find(tenant); before != numbers_.end()) processes_.kill_worker(before->second);
    ASSIGN_OR_RETURN(const scanning::WorkerHandle handle, processes_.start_worker(tenant, deadline));
    numbers_[tenant] = handle.number;
    return ipc::OwnedFd(handle.socket);
  };
  ASSIGN_OR_RETURN(ipc::OwnedFd socket, start());
  ipc::Channel channel(std::move(socket));
  const Beginning beginning{region_, tenant, key.version, std::move(key.key)};
  SecretText body = SecretText::take(encode(beginning));
  ASSIGN_OR_RETURN(const std::string frame, ask_on(channel, Ask::begin, body.reveal(), deadline));
  RETURN_IF_ERROR(parse_answer(frame));
  const int copy = ::dup(channel.descriptor());
  if (copy < 0) return Error{ErrorKind::unavailable, "no descriptor is left"};
  return ipc::OwnedFd(copy);
}

std::shared_ptr<SearchClient::Lane> SearchClient::lane_of(const Id& tenant) {
  const std::lock_guard lock(mutex_);
  if (lanes_.size() >= settings_.tenants_max && !lanes_.contains(tenant)) {
    auto oldest = lanes_.end();
    for (auto at = lanes_.begin(); at != lanes_.end(); ++at) {
      const bool is_idle = at->second.first.use_count() == 1;
      if (is_idle && (oldest == lanes_.end() || at->second.second < oldest->second.second)) oldest = at;
    }
    if (oldest != lanes_.end()) lanes_.erase(oldest);  // its process ends with the socket
  }
  auto& [lane, used] = lanes_[tenant];
  if (!lane) lane = std::make_shared<Lane>();
  used = ++uses_;
  return lane;
}

Result<std::string> SearchClient::ask(const Id& tenant, Ask what, std::string_view body, const Deadline& deadline) {
  const std::shared_ptr<Lane> lane = lane_of(tenant);
  const std::lock_guard turn(lane->turn);
  const bool is_fresh = !lane->channel;
  if (is_fresh) {
    ASSIGN_OR_RETURN(ipc::OwnedFd socket, open_(tenant, deadline));
    lane->channel = std::make_unique<ipc::Channel>(std::move(socket));
  }
  Result<std::string> frame = ask_on(*lane->channel, what, body, deadline);
  if (!frame) {
    // The process is gone, or out of step. Each question may be asked again: what is added twice is found once.
    lane->channel.reset();
    if (is_fresh || deadline.left().count() == 0 || deadline.stop.stop_requested())
      return Error{ErrorKind::unavailable, "the search process of the tenant ended: " + frame.error().detail};
    ASSIGN_OR_RETURN(ipc::OwnedFd socket, open_(tenant, deadline));
    lane->channel = std::make_unique<ipc::Channel>(std::move(socket));
    frame = ask_on(*lane->channel, what, body, deadline);
    if (!frame) {
      lane->channel.reset();
      return Error{ErrorKind::unavailable, "the search process of the tenant ended: " + frame.error().detail};
    }
  }
  return parse_answer(*frame);
}

Status SearchClient::add(const Id& tenant, const Batch& batch, const Deadline& deadline) {
  RETURN_IF_ERROR(ask(tenant, Ask::add, encode(batch), deadline));
  return done();
}

Result<std::vector<Hit>> SearchClient::find(const Id& tenant, const Question& question, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::string bytes, ask(tenant, Ask::find, encode(question), deadline));
  return parse_hits(bytes);
}

Result<std::vector<Cursor>> SearchClient::cursors(const Id& tenant, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::string bytes, ask(tenant, Ask::cursors, {}, deadline));
  return parse_cursors(bytes);
}

Result<Figures> SearchClient::figures(const Id& tenant, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::string bytes, ask(tenant, Ask::figures, {}, deadline));
  return parse_figures(bytes);
}

Status SearchClient::forget(const Id& tenant, const std::vector<Id>& messages, const Deadline& deadline) {
  RETURN_IF_ERROR(ask(tenant, Ask::forget, encode(messages), deadline));
  return done();
}

SearchClient::Open opened_by(std::shared_ptr<ipc::Client> searchd) {
  return [searchd = std::move(searchd)](const Id& tenant, const Deadline& deadline) -> Result<ipc::OwnedFd> {
    ASSIGN_OR_RETURN(ipc::Frame reply, searchd->call(method_open, tenant.bytes(), deadline));
    if (reply.fds.size() != 1) return Error{ErrorKind::unavailable, "searchd gave no socket"};
    return std::move(reply.fds.front());
  };
}

}  // namespace mailhold::search
