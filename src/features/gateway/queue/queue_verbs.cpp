#include "features/gateway/queue/queue_verbs.h"

#include <boost/json.hpp>

#include "base/text.h"
#include "base/utf8.h"
#include "features/gateway/queue/story.h"

namespace mailhold::queue {
namespace {

namespace json = boost::json;

constexpr std::size_t shown_bytes_max = 32U << 20;

std::string text_of(const json::object& request, std::string_view name) {
  const json::value* value = request.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::int64_t number_of(const json::object& request, std::string_view name, std::int64_t otherwise) {
  const json::value* value = request.if_contains(name);
  if (value != nullptr && value->is_int64()) return value->as_int64();
  if (value != nullptr && value->is_string()) {  // the command line passes words
    if (const auto number = to_number(std::string_view(value->as_string()))) return static_cast<std::int64_t>(*number);
  }
  return otherwise;
}

Result<Id> id_of(const json::object& request, std::string_view name) {
  Result<Id> id = Id::parse(text_of(request, name));
  if (!id || id->is_none())
    return Error{ErrorKind::invalid_input, std::string(name) + " must be 32 hex digits",
                 std::string(name) + " must be 32 hex digits"};
  return id;
}

// JSON carries UTF-8 only; what came from outside may be anything.
std::string shown(std::string_view text) {
  std::string safe;
  for (std::size_t at = 0; at < text.size();) append_utf8(safe, next_code_point(text, at));
  return safe;
}

json::array shown_list(const std::vector<std::string>& texts) {
  json::array list;
  for (const std::string& text : texts) list.emplace_back(shown(text));
  return list;
}

json::object shown_entry(const Queue::Entry& entry) {
  const QueueItem& item = entry.item;
  json::array recipients;
  for (const Recipient& recipient : item.recipients) {
    json::object one{{"address", shown(recipient.address)}, {"state", std::string(name_of(recipient.state))}};
    if (!recipient.diagnostic.empty()) one["reply"] = shown(recipient.diagnostic);
    if (!recipient.remote.empty()) one["host"] = shown(recipient.remote);
    if (recipient.last_attempt != 0) one["last_attempt"] = to_iso8601(recipient.last_attempt);
    recipients.push_back(std::move(one));
  }
  const char* state = entry.is_active ? "active" : entry.is_paused ? "paused" : item.attempts == 0 ? "queued" : "deferred";
  return {{"id", item.message.text()},
          {"tenant", item.tenant.text()},
          {"state", state},
          {"from", shown(item.mail_from)},
          {"attempts", item.attempts},
          {"accepted_at", to_iso8601(item.accepted_at)},
          {"next_attempt", to_iso8601(item.next_attempt)},
          {"route", entry.route.is_none() ? std::string() : entry.route.text()},
          {"notice", item.is_notice},
          {"recipients", std::move(recipients)}};
}

json::object shown_held(const held::HeldItem& item) {
  json::array reasons;
  for (const held::Why& why : item.reasons) reasons.push_back(json::object{{"code", shown(why.code)}, {"text", shown(why.text)}});
  return {{"id", item.message.text()},
          {"tenant", item.tenant.text()},
          {"held_at", to_iso8601(item.held_at)},
          {"held_for", shown(item.held_for)},
          {"from", shown(item.mail_from)},
          {"header_from", shown(item.header_from)},
          {"to", shown_list(item.rcpt_to)},
          {"subject", shown(item.subject)},
          {"client", item.client_ip},
          {"size", item.size},
          {"reasons", std::move(reasons)}};
}

json::object shown_event(const Event& event) {
  json::object one{{"time", to_iso8601(event.time)}, {"event", event.kind}};
  json::array reasons;
  for (const auto& [name, value] : event.fields) {
    if (name == "reason")
      reasons.emplace_back(shown(value));
    else
      one[name] = shown(value);
  }
  if (!reasons.empty()) one["reasons"] = std::move(reasons);
  return one;
}

Error no_such_verb(std::string_view verb) {
  return {ErrorKind::not_found, "there is no verb " + std::string(verb), "there is no verb " + std::string(verb)};
}

Result<json::object> only(const Status& status) {
  if (!status) return status.error();
  return json::object{{"done", true}};
}

}  // namespace

Result<std::string> QueueVerbs::answer(std::string_view text, const Deadline& deadline) {
  boost::system::error_code problem;
  const json::value parsed = json::parse(json::string_view(text.data(), text.size()), problem);
  if (problem || !parsed.is_object()) return Error{ErrorKind::invalid_input, "not a JSON object", "not a JSON object"};
  const Object& request = parsed.as_object();
  const std::string verb = text_of(request, "verb");
  Result<Object> reply = verb.starts_with("queue.")     ? queue_verb(verb, request, deadline)
                         : verb.starts_with("held.")    ? held_verb(verb, request, deadline)
                         : verb.starts_with("message.") ? message_verb(verb, request, deadline)
                                                        : Result<Object>(no_such_verb(verb));
  if (!reply) return reply.error();
  return json::serialize(*reply);
}

Result<Id> QueueVerbs::tenant_of(const Object& request) const {
  const std::string name = text_of(request, "tenant");
  if (name.empty()) return Id();
  if (const std::optional<Id> found = tenants_.find(name)) return *found;
  Result<Id> id = Id::parse(name);
  if (!id) return Error{ErrorKind::not_found, "no such tenant", "no such tenant"};
  return id;
}

Result<std::vector<Id>> QueueVerbs::candidates(const Object& request) const {
  ASSIGN_OR_RETURN(const Id tenant, tenant_of(request));
  return tenant.is_none() ? tenants_.all() : std::vector<Id>{tenant};
}

Result<QueueVerbs::Object> QueueVerbs::queue_verb(std::string_view verb, const Object& request, const Deadline& deadline) {
  if (verb == "queue.list") {
    ASSIGN_OR_RETURN(const Id tenant, tenant_of(request));
    ASSIGN_OR_RETURN(const std::vector<Queue::Entry> entries,
                     queue_.list(tenant, static_cast<std::size_t>(number_of(request, "limit", 100)), deadline));
    json::array messages;
    for (const Queue::Entry& entry : entries) messages.push_back(shown_entry(entry));
    return Object{{"messages", std::move(messages)}};
  }
  if (verb == "queue.status") {
    ASSIGN_OR_RETURN(const Queue::Counts counts, queue_.counts(deadline));
    json::array paused;
    for (const Id& route : queue_.paused()) paused.emplace_back(route.text());
    return Object{{"taken", counts.taken},       {"ended", counts.delivered},     {"sessions", counts.sessions},
                  {"active", counts.active},     {"waiting", counts.waiting},     {"held", counts.held},
                  {"to_store", counts.to_store}, {"to_commit", counts.to_commit}, {"paused_routes", std::move(paused)}};
  }
  if (verb == "queue.flush") {
    ASSIGN_OR_RETURN(const Id tenant, tenant_of(request));
    ASSIGN_OR_RETURN(const std::uint64_t count, queue_.flush(tenant, deadline));
    return Object{{"done", true}, {"count", count}};
  }
  if (verb == "queue.pause" || verb == "queue.resume") {
    ASSIGN_OR_RETURN(const Id route, id_of(request, "route"));
    return only(verb == "queue.pause" ? queue_.pause(route, deadline) : queue_.resume(route, deadline));
  }
  if (verb != "queue.show" && verb != "queue.requeue" && verb != "queue.delete") return no_such_verb(verb);
  ASSIGN_OR_RETURN(const Id message, id_of(request, "id"));
  if (verb == "queue.requeue") return only(queue_.requeue(message, deadline));
  if (verb == "queue.delete") return only(queue_.remove(message, deadline));
  ASSIGN_OR_RETURN(const Queue::Entry entry, queue_.show(message, deadline));
  return shown_entry(entry);
}

Result<QueueVerbs::Object> QueueVerbs::held_verb(std::string_view verb, const Object& request, const Deadline& deadline) {
  if (verb == "held.list") {
    ASSIGN_OR_RETURN(const Id tenant, tenant_of(request));
    ASSIGN_OR_RETURN(const std::vector<held::HeldItem> items,
                     queue_.held().list(tenant, static_cast<std::size_t>(number_of(request, "limit", 100)), deadline));
    json::array messages;
    for (const held::HeldItem& item : items) messages.push_back(shown_held(item));
    return Object{{"messages", std::move(messages)}};
  }
  if (verb != "held.show" && verb != "held.release" && verb != "held.delete") return no_such_verb(verb);
  ASSIGN_OR_RETURN(const Id message, id_of(request, "id"));
  if (verb == "held.release") return only(queue_.release(message, text_of(request, "why"), deadline));
  if (verb == "held.delete") return only(queue_.remove_held(message, text_of(request, "why"), deadline));
  ASSIGN_OR_RETURN(const held::HeldItem item, queue_.held().find(message, deadline));
  return shown_held(item);
}

Result<QueueVerbs::Object> QueueVerbs::message_verb(std::string_view verb, const Object& request, const Deadline& deadline) {
  if (verb == "message.find") return find(request, deadline);
  if (verb == "message.trace") return trace(request, deadline);
  if (verb == "message.show") return show(request, deadline);
  return no_such_verb(verb);
}

Result<QueueVerbs::Object> QueueVerbs::find(const Object& request, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::vector<Id> tenants, candidates(request));
  Search search{.tenant = {},
                .to = text_of(request, "to"),
                .from = text_of(request, "from"),
                .words = text_of(request, "subject"),
                .since = number_of(request, "since", 0),
                .until = number_of(request, "until", 0),
                .limit = static_cast<std::size_t>(std::clamp<std::int64_t>(number_of(request, "limit", 50), 1, 1000))};
  json::array messages;
  for (const Id& tenant : tenants) {
    search.tenant = tenant;
    ASSIGN_OR_RETURN(const std::vector<Event> events, find_messages(queue_.trace(), search, deadline));
    for (const Event& event : events) {
      Object one = shown_event(event);
      one["id"] = event.message.text();
      one["tenant"] = tenant.text();
      if (messages.size() < search.limit) messages.push_back(std::move(one));
    }
  }
  return Object{{"messages", std::move(messages)}};
}

Result<QueueVerbs::Object> QueueVerbs::trace(const Object& request, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const Id message, id_of(request, "id"));
  ASSIGN_OR_RETURN(const std::vector<Id> tenants, candidates(request));
  for (const Id& tenant : tenants) {
    const Result<std::vector<Event>> events = trace_message(queue_.trace(), tenant, message, deadline);
    if (!events && events.error().kind == ErrorKind::not_found) continue;
    if (!events) return events.error();
    json::array shown_events;
    for (const Event& event : *events) shown_events.push_back(shown_event(event));
    return Object{{"id", message.text()}, {"tenant", tenant.text()}, {"events", std::move(shown_events)}};
  }
  return Error{ErrorKind::not_found, "no such message", "no such message"};
}

Result<QueueVerbs::Object> QueueVerbs::show(const Object& request, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const Id message, id_of(request, "id"));
  ASSIGN_OR_RETURN(const std::vector<Id> tenants, candidates(request));
  for (const Id& tenant : tenants) {
    const auto loaded = queue_.load_kept(tenant, message, deadline);
    if (!loaded && loaded.error().kind == ErrorKind::not_found) continue;
    if (!loaded) return loaded.error();
    const std::string* const bytes = loaded->get();
    Object reply{{"id", message.text()}, {"tenant", tenant.text()}, {"size", bytes->size()}};
    const std::size_t end = bytes->find("\r\n\r\n");
    reply["headers"] = shown(
        std::string_view(*bytes).substr(0, end == std::string::npos ? std::min<std::size_t>(bytes->size(), 65536) : end + 2));
    if (text_of(request, "part") == "raw") {
      if (bytes->size() > shown_bytes_max)
        return Error{ErrorKind::limit_exceeded, "the message is too large to show", "the message is too large to show"};
      reply["raw"] = to_base64(*bytes);
    }
    return reply;
  }
  return Error{ErrorKind::not_found, "no such message", "no such message"};
}

}  // namespace mailhold::queue
