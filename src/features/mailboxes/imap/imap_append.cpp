#include "features/mailboxes/imap/imap_append.h"

#include <algorithm>

#include "base/text.h"
#include "features/mailboxes/imap/imap_mark.h"
#include "formats/imap/folder_name.h"

namespace mailhold::mailboxes {
namespace {

// A command of 16 messages costs a server little more than one of 64, and is less to say again where one of them is refused.
constexpr std::size_t group_messages = 16, group_bytes_max = 1U << 20;
constexpr std::size_t commands_under_way = 16, messages_under_way = 64, append_bytes_under_way = 8U << 20;
const ImapSession::Take ignore = [](imap::Response&) { return done(); };

std::optional<std::uint32_t> small_number(std::string_view digits) {
  const auto number = to_number(digits);
  if (!number || *number == 0 || *number > 0xffffffffU) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

// The uids of a set, which must rise; none if they do not, or are not `count`.
std::vector<std::uint32_t> rising_uids(std::string_view set, std::size_t count) {
  const auto ranges = imap::parse_uid_set(set);
  std::vector<std::uint32_t> uids;
  if (!ranges) return uids;
  for (const imap::UidRange& range : *ranges) {
    const std::uint64_t here = std::uint64_t{range.last} - range.first + 1;
    if (here > count - uids.size() || (!uids.empty() && range.first <= uids.back())) return {};
    for (std::uint64_t uid = range.first; uid <= range.last; ++uid) uids.push_back(static_cast<std::uint32_t>(uid));
  }
  return uids.size() == count ? uids : std::vector<std::uint32_t>();
}

}  // namespace

std::string flag_list(const std::vector<std::string>& flags) {
  std::string list;
  for (const std::string& flag : flags) {
    if (!imap::is_flag(flag) || equals_ignoring_case(flag, "\\Deleted") || equals_ignoring_case(flag, "\\Recent")) continue;
    list += (list.empty() ? "" : " ") + flag;
  }
  return "(" + list + ")";
}

std::string append_options(const ItemHead& head) {
  const std::string flags = flag_list(head.flags);
  if (head.received_at == 0) return flags;
  return flags + " \"" + imap::write_internal_date({head.received_at, head.zone_minutes}) + "\"";
}

std::vector<std::string> ids_of_appended(const imap::Response& added, std::size_t count) {
  std::vector<std::string> ids(count);
  if (added.code != "APPENDUID" || added.code_words.size() != 2) return ids;
  const auto validity = small_number(added.code_words[0]);
  const std::vector<std::uint32_t> uids = rising_uids(added.code_words[1], count);
  if (!validity || uids.empty()) return ids;
  std::transform(uids.begin(), uids.end(), ids.begin(), [&](std::uint32_t uid) { return item_id(*validity, uid); });
  return ids;
}

bool ImapAppends::takes_groups() const { return session_.has("MULTIAPPEND") && session_.has("LITERAL+"); }

// The server stores some messages while the next ones are on their way. A server without LITERAL+ is asked before each.
Status ImapAppends::run() {
  for (;;) {
    ASSIGN_OR_RETURN(std::optional<Item> item, additions_.next());
    if (!item) break;
    RETURN_IF_ERROR(gather({append_options(item->head), std::move(item->content)}));
  }
  RETURN_IF_ERROR(send_group());
  while (!under_way_.empty()) RETURN_IF_ERROR(await_first());
  return done();
}

Status ImapAppends::gather(Message message) {
  const std::size_t bytes = message.content.size();
  if (!session_.takes_literal_at_once(bytes)) {
    RETURN_IF_ERROR(send_group());
    while (!under_way_.empty()) RETURN_IF_ERROR(await_first());
    return append_alone(message);
  }
  if (gathered_.count > 0 && gathered_.bytes + bytes > group_bytes_max) RETURN_IF_ERROR(send_group());
  gathered_.messages.push_back(std::move(message));
  gathered_.bytes += bytes;
  ++gathered_.count;
  const bool is_full = !takes_groups() || gathered_.count >= group_messages_max_ || gathered_.bytes >= group_bytes_max;
  return is_full ? send_group() : done();
}

Status ImapAppends::send_group() {
  if (gathered_.count == 0) return done();
  while (!under_way_.empty() &&
         (under_way_.size() == commands_under_way || messages_under_way_ + gathered_.count > messages_under_way ||
          bytes_under_way_ + gathered_.bytes > append_bytes_under_way))
    RETURN_IF_ERROR(await_first());
  Group group = std::exchange(gathered_, {});
  std::vector<ImapSession::Part> parts;
  for (const Message& message : group.messages) parts.push_back({message.options, message.content});
  ASSIGN_OR_RETURN(group.tag, session_.send_with_literals("APPEND " + folder_, parts, deadline_));
  if (group.count == 1) group.messages.clear();
  messages_under_way_ += group.count;
  bytes_under_way_ += group.bytes;
  under_way_.push_back(std::move(group));
  return done();
}

Status ImapAppends::await_first() {
  const Group group = std::move(under_way_.front());
  under_way_.pop_front();
  messages_under_way_ -= group.count;
  bytes_under_way_ -= group.bytes;
  const Result<imap::Response> answered = session_.await(group.tag, ignore, deadline_);
  if (answered) return tell(*answered, group.count);
  const bool is_refused = answered.error().kind == ErrorKind::denied;
  if (group.count > 1 && (is_refused || answered.error().kind == ErrorKind::unavailable)) return append_one_by_one(group);
  return is_refused ? additions_.added(answered.error()) : answered.error();
}

Status ImapAppends::tell(const imap::Response& added, std::size_t count) {
  group_messages_max_ = std::min(group_messages, 2 * std::max(group_messages_max_, count));
  for (std::string& id : ids_of_appended(added, count)) RETURN_IF_ERROR(additions_.added(std::move(id)));
  return done();
}

// Of a refused group nothing was taken (RFC 3502): each of its messages is asked for by itself, so that the one that is refused
// for good fails alone, and a server that takes few at a time gets on. Where the session is at its end so is the first of these.
Status ImapAppends::append_one_by_one(const Group& refused) {
  for (const Message& message : refused.messages) RETURN_IF_ERROR(append_alone(message));
  group_messages_max_ = 1;  // fewer for a while
  return done();
}

Status ImapAppends::append_alone(const Message& message) {
  const std::string command = "APPEND " + folder_ + " " + message.options;
  const Result<imap::Response> added = session_.run_with_literal(command, message.content, deadline_);
  if (added) return tell(*added, 1);
  return added.error().kind == ErrorKind::denied ? additions_.added(added.error()) : added.error();
}

}  // namespace mailhold::mailboxes
