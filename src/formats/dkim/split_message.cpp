#include "base/text.h"
#include "formats/dkim/dkim.h"

namespace mailhold::dkim {
namespace {

// The end of the line that starts at `from`: where its ending begins, and where the next line starts.
struct LineEnd {
  std::size_t content = 0;
  std::size_t next = 0;
};

LineEnd line_end(std::string_view text, std::size_t from) {
  const std::size_t feed = text.find('\n', from);
  if (feed == std::string_view::npos) return {text.size(), text.size()};
  return {feed > from && text[feed - 1] == '\r' ? feed - 1 : feed, feed + 1};
}

HeaderField field_of(std::string_view whole) {
  HeaderField field{.whole = whole};
  const std::size_t colon = whole.find(':');
  if (colon == std::string_view::npos) return field;
  field.name = trim(whole.substr(0, colon));
  field.value = whole.substr(colon + 1);
  return field;
}

}  // namespace

MessageView split_message(std::string_view message, std::size_t fields_max) {
  MessageView view;
  std::size_t at = 0;
  while (at < message.size()) {
    LineEnd end = line_end(message, at);
    if (end.content == at) {  // the empty line
      at = end.next;
      break;
    }
    while (end.next < message.size() && (message[end.next] == ' ' || message[end.next] == '\t'))
      end = line_end(message, end.next);
    if (view.fields.size() < fields_max) view.fields.push_back(field_of(message.substr(at, end.content - at)));
    at = end.next;
  }
  view.body = message.substr(at);
  return view;
}

}  // namespace mailhold::dkim
