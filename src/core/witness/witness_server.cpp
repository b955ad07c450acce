#include "core/witness/witness_server.h"

#include <unistd.h>

#include <thread>
#include <vector>

#include "base/log.h"
#include "formats/tlog/witness_request.h"
#include "platform/net/listener.h"
#include "platform/net/stream.h"
#include "platform/net/wait.h"

namespace mailhold::witness {
namespace {

using namespace std::chrono_literals;

constexpr auto session_time = 10s;

http::Response plain(int status, std::string body) {
  return {status, {{"Content-Type", "text/plain; charset=utf-8"}}, std::move(body)};
}

void serve_one(net::Stream& stream, Witness& witness, const Deadline& deadline) {
  http::RequestLimits limits;
  limits.target_bytes_max = 1024;
  limits.head_bytes_max = 8 * 1024;
  limits.body_bytes_max = tlog::witness_request_bytes_max;
  http::RequestParser parser(limits);
  auto state = http::RequestParser::State::wants_more;
  while (state == http::RequestParser::State::wants_more) {
    const auto bytes = stream.read_some(deadline);
    if (!bytes || bytes->empty()) return;
    state = parser.feed(*bytes);
  }
  const bool complete = state == http::RequestParser::State::complete;
  const auto reply =
      http::write(complete ? answer(witness, parser.request()) : plain(parser.status(), "malformed request\n"), http::Body::send);
  if (reply) (void)stream.write_all(*reply, deadline);  // whoever left does not get it; the log asks again
}

void serve_many(int listener, Witness& witness, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    if (!net::wait_until(listener, net::Ready::to_read, Deadline::after(1s, stop))) continue;
    const auto accepted = net::accept_tcp(listener);
    if (!accepted) {
      if (accepted.error().kind == ErrorKind::limit_exceeded) std::this_thread::sleep_for(100ms);
      continue;
    }
    const auto stream = net::stream_over(accepted->socket);
    serve_one(*stream, witness, Deadline::after(session_time, stop));
  }
}

}  // namespace

http::Response answer(Witness& witness, const http::Request& request) {
  if (!request.target.ends_with("/add-checkpoint")) return plain(404, "a witness answers POST .../add-checkpoint\n");
  if (request.method != "POST") return plain(405, "a witness answers POST .../add-checkpoint\n");
  WitnessAnswer said = witness.add_checkpoint(request.body);
  http::Response response = plain(said.status, std::move(said.body));
  if (!said.content_type.empty()) response.fields = {{"Content-Type", said.content_type}};
  return response;
}

void serve(int listener, Witness& witness, const std::stop_token& stop) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < sessions_max; ++i) threads.emplace_back([&] { serve_many(listener, witness, stop); });
  threads.clear();
  ::close(listener);
}

}  // namespace mailhold::witness
