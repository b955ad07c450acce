// Sessions that are open: what they may still carry, and their end.
#include "base/log.h"
#include "base/text.h"
#include "core/broker/open_session.h"
#include "core/broker/use_policy.h"
#include "platform/crypto/hash.h"

namespace mailhold::broker {
namespace {

using namespace std::chrono_literals;

constexpr auto route_session_life = 10min;        // a little above what a gateway keeps a session for
constexpr auto connection_session_life = 245min;  // a little above what authd relays for

std::string hex_of(std::string_view bytes) { return to_hex(crypto::sha256(bytes)); }

}  // namespace

Broker::~Broker() = default;

// Waits for the end of a session and writes down what passed in it.
void Broker::watch(Open open) {
  auto watch = std::make_unique<Watch>();
  Watch* raw = watch.get();
  raw->open = std::move(open);
  if (raw->open.meter.is_open())
    raw->meter = std::jthread([this, raw](const std::stop_token& stop) { serve_meter(raw->open, stop); });
  raw->thread = std::jthread([this, raw](const std::stop_token& stop) {
    const bool metered = raw->open.metered.has_value();
    const Deadline life = metered ? Deadline::after(connection_session_life, stop) : Deadline::after(route_session_life, stop);
    const auto ended = raw->open.authd->call(static_cast<std::uint16_t>(AuthdMethod::finish), {}, life);
    if (metered) (void)parts_.processes.end_authd(raw->open.process);  // the meter ends with it
    if (raw->meter.joinable()) raw->meter.join();
    ledger::Entry entry{raw->open.tenant, raw->open.connection, std::string(end_type), {}};
    Result<SessionReport> report = ended ? parse_session_report(ended->bytes) : Result<SessionReport>(ended.error());
    entry.fields["bytes"] = static_cast<std::int64_t>(report ? report->bytes : 0);
    entry.fields["end"] = report ? report->end : std::string("lost: ") + std::string(name_of(report.error().kind));
    if (!metered) entry.fields["messages"] = std::int64_t{report ? report->messages : 0};
    if (metered && report) {
      entry.fields["items"] = static_cast<std::int64_t>(report->items);
      entry.fields["refused"] = static_cast<std::int64_t>(report->refused);
      // What the process says of itself is believed up to what it was given last.
      const Allowance unused{std::min(report->unused.items, raw->open.last_grant.items),
                             std::min(report->unused.bytes, raw->open.last_grant.bytes)};
      (void)parts_.usage.give_back(*raw->open.metered, unused, raw->open.granted_at, Deadline::after(10s, stop));
    }
    if (const Status recorded = record(entry, Deadline::after(10s, stop)); !recorded) {
      log_warning("broker", "the end of a session could not be recorded: " + std::string(name_of(recorded.error().kind)));
    }
    raw->over = true;
  });
  const std::lock_guard lock(mutex_);
  std::erase_if(watches_, [](const auto& each) { return each->over.load(); });
  watches_.push_back(std::move(watch));
}

void Broker::serve_meter(Open& open, const std::stop_token& stop) {
  ipc::Channel channel(std::move(open.meter));
  for (;;) {
    const auto frame = channel.receive(Deadline::after(connection_session_life, stop));
    if (!frame) return;
    const auto question = parse_meter_question(frame->bytes);
    if (!question) return log_warning("broker", "an authd asks its meter for what is no question");
    const Deadline deadline = Deadline::after(10s, stop);
    Result<std::string> answer = std::string();
    if (!question->mailbox.empty()) {
      const auto name = parts_.connections.keyed_name(open.tenant, question->mailbox, deadline);
      const auto reached = name ? parts_.usage.reach_mailbox(*open.metered, *name, deadline) : Result<bool>(name.error());
      answer = reached ? encode({}, *reached) : Result<std::string>(reached.error());
    } else {
      const auto granted = parts_.usage.grant(*open.metered, question->wanted, deadline);
      if (granted) {
        if (granted->items > 0) open.last_grant.items = granted->items;
        if (granted->bytes > 0) open.last_grant.bytes = granted->bytes;
        open.granted_at = parts_.clock.now();
      }
      answer = granted ? encode(*granted, false) : Result<std::string>(granted.error());
    }
    // Without an answer authd ends the session: nothing passes that was not counted.
    if (!answer || !channel.send(*answer, deadline)) return;
  }
}

void Broker::end_sessions(Id connection) {
  const std::lock_guard lock(mutex_);
  for (const auto& watch : watches_) {
    if (watch->open.connection != connection || watch->over) continue;
    if (const Status ended = parts_.processes.end_authd(watch->open.process); !ended)
      log_error("broker", "a session of connection " + connection.text() + " could not be ended: " + ended.error().detail);
  }
}

// Also those that are being opened, which may have been given the secret before.
void Broker::end_sessions_of_secret(Id connection) {
  {
    const std::lock_guard lock(mutex_);
    for (Opening* each : openings_) {
      if (each->connection == connection) each->secret_taken = true;
    }
  }
  end_sessions(connection);
}

Status Broker::check_use(const access::Connection& connection, const OpenConnection& request, const std::string& role,
                         const access::Operation* permit) {
  if (connection.workers.empty()) return check_connection_use(connection, request, {}, permit);
  ASSIGN_OR_RETURN(const std::string program, parts_.processes.program_hash(role));
  return check_connection_use(connection, request, program, permit);
}

// What was written over one connection is looked for over another one where that is the same place.
Status Broker::check_place(const access::Connection& connection, const OpenConnection& request, const Deadline& deadline) {
  if (request.written.is_none()) return done();
  ASSIGN_OR_RETURN(const access::Connection writing, parts_.connections.find(request.written, deadline));
  if (is_own_place(connection, writing)) return done();
  return Error{ErrorKind::denied, "the connection reads another account, or other folders, than were written to"};
}

// Whether what a session is being opened by was not taken back meanwhile.
bool Broker::still_counts(const OpenConnection& request, const access::Connection& opened, const Deadline& deadline) {
  if (!request.permit.empty() && !parts_.permits.find(request.permit, deadline)) return false;
  const auto now = parts_.connections.find(request.connection, deadline);
  return now && *now == opened;
}

Result<ipc::OwnedFd> Broker::open_connection(const OpenConnection& request, const std::string& role, const Deadline& deadline) {
  const Opening opening(*this, request.connection);
  ASSIGN_OR_RETURN(const access::Connection connection, parts_.connections.find(request.connection, deadline));
  ledger::Entry refusal{connection.tenant, connection.id, "use.refused", {}};
  refusal.fields["purpose"] = request.purpose;
  const auto refuse = [&](const Error& error) -> Result<ipc::OwnedFd> {
    refusal.fields["kind"] = std::string(name_of(error.kind));
    if (const Status recorded = record(refusal, deadline); !recorded)
      log_warning("broker", "a refusal could not be recorded: " + std::string(name_of(recorded.error().kind)));
    return error;
  };
  std::optional<access::Operation> permit;
  if (!request.permit.empty()) {
    auto found = parts_.permits.find(request.permit, deadline);
    if (!found) return refuse(found.error().is_temporary() ? found.error() : Error{ErrorKind::denied, found.error().detail});
    permit = std::move(*found);
  }
  if (const Status allowed = check_use(connection, request, role, permit ? &*permit : nullptr); !allowed)
    return refuse(allowed.error());
  if (const Status same = check_place(connection, request, deadline); !same) return refuse(same.error());
  if (const Status begun = parts_.usage.begin_session(connection, deadline); !begun) return refuse(begun.error());

  // Evidence before use: without a durable intent there is no receipt, and without one keyd opens nothing.
  ledger::Entry intent{connection.tenant, connection.id, std::string(intent_type), {}};
  const std::string purpose = purpose_of_session(request, permit ? &*permit : nullptr);
  intent.fields["purpose"] = purpose;
  intent.fields["policy"] = hex_of(access::secret_policy_of(connection));
  intent.fields["limits"] = hex_of(access::write_connection(connection));
  intent.fields["job"] = request.job.text();
  intent.fields["role"] = role;
  intent.fields["host"] = connection.host;
  intent.fields["port"] = std::int64_t{connection.port};
  if (permit) {
    intent.fields["operation"] = to_hex(request.permit);
    intent.fields["into"] = written_mailbox(*permit);
  }
  ASSIGN_OR_RETURN(const ledger::Receipt receipt, parts_.ledger.append(intent, deadline));

  ledger::Entry outcome{connection.tenant, connection.id, std::string(outcome_type), {}};
  outcome.fields["job"] = request.job.text();
  const auto failed = [&](const Error& error) -> Result<ipc::OwnedFd> {
    outcome.fields["ok"] = std::int64_t{0};
    outcome.fields["kind"] = std::string(name_of(error.kind));
    if (const Status recorded = record(outcome, deadline); !recorded)
      log_warning("broker", "an outcome could not be recorded: " + std::string(name_of(recorded.error().kind)));
    return error;
  };
  std::string address, token_address;
  auto socket = dial({connection.host, connection.port, connection.egress}, address, deadline);
  if (!socket) return failed(socket.error());
  ipc::OwnedFd token_socket;
  if (!connection.token_host.empty()) {
    auto token = dial({connection.token_host, connection.token_port, connection.egress}, token_address, deadline);
    if (!token) return failed(token.error());
    token_socket = std::move(*token);
  }
  auto fresh = parts_.processes.new_authd();
  if (!fresh) return failed(fresh.error());
  auto worker = ipc::Channel::socket_pair();
  auto meter = ipc::Channel::socket_pair();
  if (!worker || !meter) return failed(Error{ErrorKind::unavailable, "no channel"});

  const ConnectionJob job{connection, purpose, receipt.encode(), to_hex(receipt.leaf().bytes())};
  Open open{std::make_shared<ipc::Client>("authd", std::move(fresh->channel), ipc::Replies::by_caller),
            fresh->process,
            connection.tenant,
            connection.id,
            connection,
            std::move(meter->first),
            {},
            0};
  std::vector<int> fds{socket->get(), worker->second.get(), meter->second.get()};
  if (token_socket.is_open()) fds.push_back(token_socket.get());
  const auto opened = open.authd->call(static_cast<std::uint16_t>(AuthdMethod::connection_session), encode(job), fds, deadline);
  if (!opened) return failed(opened.error());
  outcome.fields["ok"] = std::int64_t{1};
  outcome.fields["address"] = address;
  RETURN_IF_ERROR(record(outcome, deadline));
  watch(std::move(open));
  // Suspended, changed or withdrawn meanwhile, or its secret taken: whoever did that found no session to end.
  if (!still_counts(request, connection, deadline) || opening.has_lost_its_secret()) end_sessions(connection.id);
  return std::move(worker->first);
}

}  // namespace mailhold::broker
