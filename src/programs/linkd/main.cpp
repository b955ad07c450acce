// linkd: answers clicks on rewritten links. Wiring only.
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "core/keys/key_client.h"
#include "core/settings/settings.h"
#include "features/links/click_service.h"
#include "features/links/link_server.h"
#include "features/links/links_api.h"
#include "features/tenants/tenant_messages.h"
#include "formats/url/host.h"
#include "formats/url/look_alike.h"
#include "platform/ipc/daemon.h"
#include "platform/ipc/messages.h"
#include "platform/sandbox/profiles.h"

namespace {

using namespace mailhold;
using namespace std::chrono_literals;

constexpr auto policy_time = 2s;  // how soon a changed list counts

// Fetches the tenants' lists from apid again and again. While apid is away the last ones hold.
class PolicyFeed {
 public:
  PolicyFeed(std::shared_ptr<ipc::Client> apid, links::ClickService& service) : apid_(std::move(apid)), service_(service) {}

  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      fetch(stop);
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, stop, policy_time, [] { return false; });
    }
  }

 private:
  void fetch(const std::stop_token& stop) {
    const auto reply = apid_->call(static_cast<std::uint16_t>(tenants::Method::link_policies), {}, Deadline::after(10s, stop));
    if (!reply || reply->bytes == last_) return;
    const Result<links::LinkPolicies> policies = links::parse_policies(reply->bytes);
    if (!policies) return log_error("links", "policies from apid: " + policies.error().detail);
    service_.set_policies(*policies);
    last_ = reply->bytes;
    log_info("links", "policies of " + std::to_string(policies->tenants.size()) + " tenants");
  }

  std::shared_ptr<ipc::Client> apid_;
  links::ClickService& service_;
  std::string last_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
};

links::LinkKeySource key_source(keys::KeyClient& keys) {
  return [&keys](const Id& tenant, std::optional<std::uint32_t> version, const Deadline& deadline) -> Result<links::LinkKey> {
    auto key = version ? keys.link_key(tenant, *version, deadline) : keys.link_key(tenant, deadline);
    if (!key) return key.error();
    return links::LinkKey{key->version, std::move(key->key)};
  };
}

void log_click(const links::ClickEvent& click) {
  const std::string_view went = click.went == links::Went::on_after_warning ? " went on" : "";
  log_info("links", "click tenant " + click.tenant.text() + " message " + click.message.text() + " " +
                        std::string(links::name_of(click.decision)) + std::string(went));
}

void answer_call(links::ClickService& service, const std::shared_ptr<ipc::Call>& call) {
  if (call->method() != ipc::method_api || call->peer != "apid")
    return call->fail(Error{ErrorKind::denied, "not for " + call->peer});
  call->answer(links::answer_verb(service, call->body(), Deadline::after(10s)));
}

Status serve(ipc::Daemon& daemon) {
  url::load_unicode_tables();
  static_cast<void>(url::skeleton("a"));
  sandbox::enter_or_exit(sandbox::profile_of("linkd", daemon.directories()));

  keys::KeyClient keys(ipc::calls_to(daemon.peer("keyd")));
  links::Indicators indicators(daemon.directory("links") + "/indicators.txt");
  links::ClickService service(key_source(keys), indicators, system_clock(), log_click);
  indicators.reload_if_changed();
  PolicyFeed feed(daemon.peer("apid"), service);
  const std::jthread feeding([&feed](const std::stop_token& stop) { feed.run(stop); });

  links::LinkServerSettings settings;
  ASSIGN_OR_RETURN(const Settings known, Settings::from_map(daemon.settings()));
  settings.trusted_proxies = known.list("links.trusted_proxies");
  settings.address.requests_per_second = static_cast<double>(known.number("links.requests_per_second"));
  settings.address.requests_burst = 4 * settings.address.requests_per_second;
  ASSIGN_OR_RETURN(const auto server, links::LinkServer::start(
                                          daemon.listener("http").release(),
                                          [&service](const http::Request& request, const Deadline& deadline) {
                                            return service.answer(request, deadline);
                                          },
                                          std::move(settings)));
  daemon.run([&service](const std::shared_ptr<ipc::Call>& call) { answer_call(service, call); });
  server->stop();
  return done();
}

}  // namespace

int main() {
  auto daemon = mailhold::ipc::Daemon::start("linkd");
  const mailhold::Status served = serve(*daemon);
  if (!served) mailhold::log_error("linkd", served.error().detail);
  return served ? 0 : 70;
}
