// message, queue, held, gateway, ledger.
#include <boost/json.hpp>

#include "core/access/operation.h"
#include "programs/mailhold/console.h"

namespace mailhold::cli {
namespace {

namespace json = boost::json;

// The entries of one tenant; without a name those of the region itself.
Status show_ledger(Console& console, const Typed& typed) {
  std::string tenant = access::region_tenant().text();
  if (typed.has("tenant")) {
    ASSIGN_OR_RETURN(tenant, console.tenant_id(typed.one("tenant")));
  }
  json::object request{{"verb", "ledger.show"}, {"tenant", tenant}};
  if (typed.has("from")) request["from"] = std::stoll(typed.one("from"));
  if (typed.has("limit")) request["limit"] = std::stoll(typed.one("limit"));
  ASSIGN_OR_RETURN(const std::string answer, console.ask(json::serialize(request)));
  console.print(answer);
  return done();
}

}  // namespace

std::vector<Command> mail_commands() {
  const Option id{"id", "Id of the message, as the sender's 250 and every list name it", true, Form::position};
  const Option tenant{"tenant", "Only of this tenant (name or id)"};
  const Option limit{"limit", "At most so many", false, Form::number};
  const Option route{"route", "Id of the route", true, Form::position};
  const Option why{"why", "Your reason; it stands in the message's trace"};
  return {
      {"message",
       "find",
       "Find messages, newest first",
       {tenant,
        {"to", "Recipient, whole or as @domain"},
        {"from", "Sender, whole or as @domain"},
        {"subject", "Words of the subject"},
        {"since", "From this day or moment on (UTC)", false, Form::time},
        {"until", "Up to this day or moment (UTC)", false, Form::time},
        limit},
       "mailhold message find --tenant example --to alice@example.com --since 2026-11-22",
       {},
       {"time", "verdict", "held_for", "from", "to", "subject", "id"}},
      {"message", "trace", "Show every step of one message, with its reasons", {id, tenant}, "", {}},
      {"message",
       "show",
       "Show the headers of a kept message; --part raw adds the whole in base64",
       {id, tenant, {"part", "raw"}},
       "",
       {}},
      {"queue",
       "list",
       "Show what waits or is being sent",
       {tenant, limit},
       "",
       {},
       {"accepted_at", "state", "attempts", "next_attempt", "from", "id"}},
      {"queue", "status", "Show counts and paused routes", {}, "", {}},
      {"queue", "show", "Show one message of the queue", {id}, "", {}},
      {"queue", "pause", "Send nothing over a route until it is resumed", {route}, "", {}},
      {"queue", "resume", "Send again over a paused route", {route}, "", {}},
      {"queue", "flush", "Try everything now", {tenant}, "", {}},
      {"queue", "requeue", "Try this message now", {id}, "", {}},
      {"queue", "delete", "Give a message up; nobody is told", {id}, "", {}},
      {"held",
       "list",
       "Show what policy holds back, and why",
       {tenant, limit},
       "",
       {},
       {"held_at", "held_for", "from", "to", "subject", "id"}},
      {"held", "show", "Show one held message with every reason", {id}, "", {}},
      {"held", "release", "Deliver a held message after all", {id, why}, "mailhold held release 5f… --why 'known sender'", {}},
      {"held", "delete", "Give a held message up; nobody is told", {id, why}, "", {}},
      {"gateway", "status", "Show what was accepted, held and refused", {}, "", {}},
      {"gateway", "pause", "Greet new clients with 421 until resumed", {}, "", {}},
      {"gateway", "resume", "Take mail again", {}, "", {}},
      {"ledger",
       "show",
       "Show the entries of a tenant; without one, those of the region",
       {{"tenant", "Name or id of the tenant", false, Form::position},
        {"from", "First sequence number", false, Form::number},
        limit},
       "mailhold ledger show example",
       show_ledger},
      {"ledger", "status", "Show size, checkpoint and state of the ledger", {}, "", {}},
      {"ledger", "verify", "Check the whole ledger: tree, signatures, chains", {}, "", {}},
      {"ledger", "reopen", "Open a ledger again that failed, after verifying it", {}, "", {}},
  };
}

}  // namespace mailhold::cli
