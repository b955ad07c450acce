#include "features/gateway/queue/story.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace mailhold::queue {
namespace {

// The log takes 64 fields and 64 KiB for an event: long lists are cut, with a count of all.
constexpr std::size_t fields_max = 60;
constexpr std::size_t list_bytes_max = 32 * 1024;
constexpr std::size_t text_bytes_max = 1000;
constexpr std::size_t reasons_max = 24;

class EventWriter {
 public:
  EventWriter(Id tenant, Id message, Milliseconds time, std::string kind) {
    event_.tenant = tenant;
    event_.message = message;
    event_.time = time;
    event_.fields.push_back(std::move(kind));
  }
  EventWriter& add(std::string_view name, std::string_view value, std::size_t bytes_max = text_bytes_max) {
    if (!value.empty() && event_.fields.size() < fields_max) {
      event_.fields.push_back(std::string(name) + "=" + std::string(value.substr(0, bytes_max)));
    }
    return *this;
  }
  store::TraceEvent take() { return std::move(event_); }

 private:
  store::TraceEvent event_;
};

std::string joined(const std::vector<std::string>& texts) {
  std::string list;
  for (const std::string& text : texts) {
    if (list.size() + text.size() > list_bytes_max) break;
    list += (list.empty() ? "" : " ") + text;
  }
  return list;
}

std::string_view name_of(gateway::Disposition disposition) {
  switch (disposition) {
    case gateway::Disposition::deliver: return "deliver";
    case gateway::Disposition::held: return "held";
    case gateway::Disposition::rejected: return "rejected";
  }
  return "unknown";
}

bool is_beginning(std::string_view kind) { return kind == "accepted" || kind == "rejected"; }

bool address_matches(std::string_view wanted, std::string_view address) {
  if (wanted.empty()) return true;
  if (wanted.front() != '@') return equals_ignoring_case(wanted, address);
  return address.size() >= wanted.size() && equals_ignoring_case(wanted, address.substr(address.size() - wanted.size()));
}

bool one_matches(std::string_view wanted, const std::string* list) {
  if (wanted.empty()) return true;
  if (list == nullptr) return false;
  const auto addresses = split(*list, ' ');
  return std::any_of(addresses.begin(), addresses.end(),
                     [&](std::string_view address) { return address_matches(wanted, address); });
}

bool holds_words(std::string_view words, const std::string* text) {
  const std::string lower = text == nullptr ? std::string() : to_lower(*text);
  for (const std::string_view word : split(words, ' ')) {
    if (!word.empty() && lower.find(to_lower(word)) == std::string::npos) return false;
  }
  return true;
}

}  // namespace

const std::string* Event::field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (key == name) return &value;
  }
  return nullptr;
}

store::TraceEvent accepted_event(const gateway::AcceptedMessage& message) {
  EventWriter writer(message.tenant, message.message, message.accepted_at,
                     message.disposition == gateway::Disposition::rejected ? "rejected" : "accepted");
  writer.add("from", message.mail_from)
      .add("to", joined(message.rcpt_to), list_bytes_max)
      .add("recipients", std::to_string(message.rcpt_to.size()));
  writer.add("header_from", message.header_from).add("subject", message.subject).add("message_id", message.message_id);
  writer.add("client", message.client_ip)
      .add("helo", message.helo)
      .add("tls", message.tls)
      .add("size", std::to_string(message.size));
  writer.add("verdict", name_of(message.disposition)).add("held_for", message.held_for).add("reply", message.reply);
  writer.add("spf", message.spf).add("dkim", message.dkim).add("dmarc", message.dmarc).add("virus", message.virus);
  if (message.scanned) {
    writer.add("links", std::to_string(message.links)).add("links_rewritten", std::to_string(message.links_rewritten));
    writer.add("attachments", std::to_string(message.attachments.size()));
  }
  std::size_t reasons = 0;
  for (const gateway::ReasonLine& reason : message.reasons) {
    if (++reasons <= reasons_max) writer.add("reason", reason.code + ": " + reason.text);
  }
  return writer.take();
}

store::TraceEvent simple_event(const QueueItem& item, Milliseconds time, std::string kind, std::string why) {
  return EventWriter(item.tenant, item.message, time, std::move(kind)).add("why", why).take();
}

store::TraceEvent attempt_event(const QueueItem& item, const Recipient& recipient) {
  return EventWriter(item.tenant, item.message, recipient.last_attempt, std::string(name_of(recipient.state)))
      .add("to", recipient.address)
      .add("host", recipient.remote)
      .add("reply", recipient.diagnostic)
      .add("attempt", std::to_string(item.attempts))
      .take();
}

Event read_event(const store::TraceView& view) {
  Event event{.message = view.message, .time = view.time, .kind = {}, .fields = {}};
  for (const std::string_view field : view.fields) {
    const std::size_t equals = field.find('=');
    if (event.kind.empty())
      event.kind = field;
    else if (equals != std::string_view::npos)
      event.fields.emplace_back(field.substr(0, equals), field.substr(equals + 1));
  }
  return event;
}

bool matches(const Search& search, const Event& accepted) {
  if (accepted.time < search.since || (search.until != 0 && accepted.time > search.until)) return false;
  if (!one_matches(search.to, accepted.field("to"))) return false;
  if (!one_matches(search.from, accepted.field("from")) && !one_matches(search.from, accepted.field("header_from"))) return false;
  return holds_words(search.words, accepted.field("subject"));
}

Result<std::vector<Event>> find_messages(store::TraceLog& log, const Search& search, const Deadline& deadline) {
  std::vector<Event> found;
  const std::size_t limit = std::clamp<std::size_t>(search.limit, 1, 1000);
  const auto visitor = [&](const store::TraceView& view) {
    if (view.fields.empty() || !is_beginning(view.fields[0])) return segments::Visit::go_on;
    Event event = read_event(view);
    const bool is_known =
        std::any_of(found.begin(), found.end(), [&](const Event& other) { return other.message == event.message; });
    if (!is_known && matches(search, event)) found.push_back(std::move(event));
    return found.size() < limit ? segments::Visit::go_on : segments::Visit::stop;
  };
  ASSIGN_OR_RETURN([[maybe_unused]] const std::uint64_t looked_at, log.scan(search.tenant, visitor, deadline));
  std::sort(found.begin(), found.end(), [](const Event& a, const Event& b) { return a.time > b.time; });
  return found;
}

Result<std::vector<Event>> trace_message(store::TraceLog& log, Id tenant, Id message, const Deadline& deadline) {
  std::vector<Event> events;
  const auto visitor = [&](const store::TraceView& view) {
    if (view.message != message) return segments::Visit::go_on;
    Event event = read_event(view);
    // A restart may tell an event again.
    if (std::find(events.begin(), events.end(), event) == events.end()) events.push_back(std::move(event));
    return segments::Visit::go_on;
  };
  ASSIGN_OR_RETURN([[maybe_unused]] const std::uint64_t looked_at, log.scan(tenant, visitor, deadline));
  if (events.empty()) return Error{ErrorKind::not_found, "no trace of message " + message.text(), "no such message"};
  // The log gives the newest first; events of one moment stay in the order they were told, behind the message's beginning,
  // which is told with what the store kept and so, perhaps, last.
  std::reverse(events.begin(), events.end());
  std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) {
    return std::pair(a.time, !is_beginning(a.kind)) < std::pair(b.time, !is_beginning(b.kind));
  });
  return events;
}

}  // namespace mailhold::queue
