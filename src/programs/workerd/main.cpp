// workerd: jobs that work on a tenant's server through sessions that brokerd opens. It holds no secret and has no network.
// Today it checks that a connection works. Wiring only.
#include <boost/json.hpp>

#include "base/log.h"
#include "core/broker/session_check.h"
#include "platform/ipc/daemon.h"
#include "platform/ipc/messages.h"
#include "platform/sandbox/profiles.h"

namespace {

using namespace mailhold;
namespace json = boost::json;

// {"verb":"session.check", "connection", "purpose"}
Result<std::string> answer(broker::BrokerClient& brokerd, std::string_view text) {
  boost::system::error_code error;
  const json::value parsed = json::parse(text, error);
  const auto* request = error ? nullptr : parsed.if_object();
  const auto word = [&](const char* name) -> std::string {
    const json::value* found = request == nullptr ? nullptr : request->if_contains(name);
    return found != nullptr && found->is_string() ? std::string(found->as_string()) : "";
  };
  if (word("verb") != "session.check") return Error{ErrorKind::not_found, "there is no verb " + word("verb")};
  ASSIGN_OR_RETURN(const Id connection, Id::parse(word("connection")));
  ASSIGN_OR_RETURN(const broker::SessionCheck check, broker::check_session(brokerd, connection, word("kind"), word("purpose"),
                                                                           Deadline::after(std::chrono::seconds(90))));
  return json::serialize(json::object{
      {"connection", connection.text()}, {"works", true}, {"server_says", check.greeting}, {"milliseconds", check.milliseconds}});
}

}  // namespace

int main() {
  auto daemon = ipc::Daemon::start("workerd");
  sandbox::enter_or_exit(sandbox::profile_of("workerd", daemon->directories()));
  broker::BrokerClient brokerd(daemon->peer("brokerd"));
  return daemon->run([&](const std::shared_ptr<ipc::Call>& call) {
    if (call->peer != "apid" || call->method() != ipc::method_api)
      return call->fail(Error{ErrorKind::denied, "not for " + call->peer});
    call->answer(answer(brokerd, call->body()));
  });
}
