// gossipd: carries the ledger's checkpoints to witnesses and their cosignatures back, because ledgerd has no network. It holds
// no secret and decides nothing: ledgerd verifies what it brings. Wiring only.
#include <fstream>
#include <iterator>
#include <thread>

#include "base/log.h"
#include "core/ledger/ledger_messages.h"
#include "core/settings/settings.h"
#include "core/witness/witness_client.h"
#include "platform/dns/resolver_client.h"
#include "platform/ipc/daemon.h"
#include "platform/sandbox/profiles.h"

namespace {

using namespace mailhold;
using namespace std::chrono_literals;

constexpr auto round_time = 1s;
constexpr auto witness_time = 15s;  // for one request

std::vector<std::string> addresses_of(dns::Resolver& resolver, const std::string& host, const Deadline& deadline) {
  if (dns::parse_address(host)) return {host};
  const dns::Question questions[] = {{host, dns::RecordType::a}, {host, dns::RecordType::aaaa}};
  std::vector<std::string> addresses;
  for (const dns::Answer& answer : resolver.resolve_all(questions, deadline)) {
    for (const dns::Record& record : answer.records) addresses.push_back(dns::address_text(record.value));
  }
  return addresses;
}

class Carrier {
 public:
  Carrier(std::shared_ptr<ipc::Client> ledgerd, dns::Resolver& resolver, std::string ca)
      : ledgerd_(std::move(ledgerd)), resolver_(resolver), ca_(std::move(ca)) {}

  void run(const std::stop_token& stop) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    while (!stop.stop_requested()) {
      carry_all(stop);
      wake_.wait_for(lock, stop, round_time, [] { return false; });
    }
  }

 private:
  void carry_all(const std::stop_token& stop) {
    const auto reply =
        ledgerd_->call(static_cast<std::uint16_t>(ledger::Method::witness_tasks), {}, Deadline::after(witness_time, stop));
    if (!reply) return;  // sealed, or being restarted
    const auto tasks = ledger::parse_witness_tasks(reply->bytes);
    if (!tasks) return log_error("gossipd", tasks.error().detail);
    std::vector<std::jthread> asking;  // a slow witness must not delay the others
    for (const ledger::WitnessTask& task : *tasks) asking.emplace_back([&] { carry(task, stop); });
  }

  void carry(const ledger::WitnessTask& task, const std::stop_token& stop) {
    const Deadline deadline = Deadline::after(witness_time, stop);
    const ledger::WitnessOutcome outcome = outcome_of(task, deadline);
    const auto told = ledgerd_->call(static_cast<std::uint16_t>(ledger::Method::witness_outcome), encode(outcome),
                                     Deadline::after(witness_time, stop));
    if (!told) log_warning("gossipd", "outcome of witness " + std::to_string(task.witness) + ": " + told.error().detail);
  }

  ledger::WitnessOutcome outcome_of(const ledger::WitnessTask& task, const Deadline& deadline) {
    ledger::WitnessOutcome outcome{task.witness, task.size, task.old_size, ledger::WitnessOutcome::Kind::away, 0, 0, {}};
    const auto resolve = [&](const std::string& host, const Deadline& until) { return addresses_of(resolver_, host, until); };
    const auto url = witness::WitnessUrl::parse(task.url);
    const auto reply = url ? witness::ask(*url, task.body, ca_, resolve, deadline) : Result<witness::WitnessReply>(url.error());
    if (!reply) return outcome;
    outcome.status = static_cast<std::uint32_t>(reply->status);
    outcome.conflict_size = reply->size;
    if (reply->kind == witness::WitnessReply::Kind::conflict) outcome.kind = ledger::WitnessOutcome::Kind::conflict;
    if (reply->kind == witness::WitnessReply::Kind::refused) outcome.kind = ledger::WitnessOutcome::Kind::refused;
    for (const tlog::NoteSignature& line : reply->signatures) {
      if (line.name != task.key_name || line.key_id != task.key_id) continue;
      outcome.kind = ledger::WitnessOutcome::Kind::cosigned;
      outcome.signature = line.signature;
    }
    return outcome;
  }

  const std::shared_ptr<ipc::Client> ledgerd_;
  dns::Resolver& resolver_;
  const std::string ca_;
  std::condition_variable_any wake_;
};

// Before the sandbox closes the file system: the anchors themselves, as PEM text.
Result<std::string> trust_anchors(const std::string& setting) {
  const std::string path = setting == "system" ? "/etc/ssl/certs/ca-certificates.crt" : setting;
  std::ifstream file(path, std::ios::binary);
  if (!file && setting != "system") return Error{ErrorKind::invalid_input, "ledger.witness_ca: " + path + " cannot be read"};
  return std::string{std::istreambuf_iterator<char>(file), {}};
}

Status serve(ipc::Daemon& daemon) {
  ASSIGN_OR_RETURN(const Settings settings, Settings::from_map(daemon.settings()));
  ASSIGN_OR_RETURN(std::string ca, trust_anchors(settings.text("ledger.witness_ca")));
  const bool has_witnesses = !settings.list("ledger.witnesses").empty();
  sandbox::enter_or_exit(sandbox::profile_of("gossipd", daemon.directories()));

  dns::ResolverClient resolver(daemon.peer("resolverd"), system_clock());
  Carrier carrier(daemon.peer("ledgerd"), resolver, std::move(ca));
  std::jthread carrying;
  if (has_witnesses) carrying = std::jthread([&carrier](const std::stop_token& stop) { carrier.run(stop); });
  daemon.run([](const std::shared_ptr<ipc::Call>& call) { call->fail(Error{ErrorKind::denied, "not for " + call->peer}); }, 1);
  return done();
}

}  // namespace

int main() {
  auto daemon = mailhold::ipc::Daemon::start("gossipd");
  const mailhold::Status served = serve(*daemon);
  if (!served) mailhold::log_error("gossipd", served.error().detail);
  return served ? 0 : 70;
}
