#include "core/store/bundle.h"

#include "formats/sealed/padding.h"

namespace mailhold::store {

std::string encode_bundle(const std::vector<std::string_view>& stored) {
  std::string joined;
  for (const std::string_view each : stored) joined += each;
  return padded(std::move(joined));
}

Result<std::vector<std::string>> parse_bundle(std::string_view bytes, std::size_t count) {
  if (count > bundle_messages_most) return Error{ErrorKind::corrupt, "a bundle of too many messages"};
  if (bytes.size() > sealed::padded_length(bundle_bytes_max))
    return Error{ErrorKind::limit_exceeded, "a bundle of " + std::to_string(bytes.size()) + " bytes"};
  ByteReader reader(bytes);
  std::vector<std::string> contents;
  for (std::size_t i = 0; i < count; ++i) contents.emplace_back(next_stored(reader));
  RETURN_IF_ERROR(expect_padding(reader));
  return contents;
}

namespace {

// The stored form that begins there by what its first bytes say, if it is whole.
struct Form {
  std::size_t size = 0;  // 0: not even its beginning can be read
  std::string bytes{};   // empty: not all of it can be
};

Form form_at(const sealed::Remains& remains, std::size_t at) {
  if (!remains.has(at, stored_head_bytes)) return {};
  ByteReader reader(std::string_view(remains.plaintext).substr(at));
  Form form{stored_size(reader)};
  if (remains.has(at, form.size)) form.bytes = remains.plaintext.substr(at, form.size);
  return form;
}

// Whose content that is, among those from `first` on; as many as there are if nobody's.
Result<std::size_t> member_of(std::string_view form, const std::vector<Id>& messages, std::size_t first,
                              const IsContentOf& is_content_of) {
  const auto content = form.empty() ? Result<std::string>(std::string()) : unpack(form, bundled_message_bytes_max);
  if (!content && content.error().is_temporary()) return content.error();
  const auto recipe = content ? parse_recipe(*content) : Result<Recipe>(content.error());
  for (std::size_t member = first; recipe && member < messages.size(); ++member) {
    ASSIGN_OR_RETURN(const bool is_it, is_content_of(messages[member], *recipe));
    if (is_it) return member;
  }
  return messages.size();
}

}  // namespace

Result<std::vector<std::string>> parse_remains(const sealed::Remains& remains, const std::vector<Id>& messages,
                                               const IsContentOf& is_content_of) {
  std::vector<std::string> contents(messages.size());
  std::size_t at = 0, known = 0;
  for (; known < messages.size(); ++known) {
    Form form = form_at(remains, at);
    if (form.size == 0) break;
    contents[known] = std::move(form.bytes);
    at += form.size;
  }
  while (is_content_of && known < messages.size() && at < remains.plaintext.size()) {
    Form form = form_at(remains, at);
    ASSIGN_OR_RETURN(const std::size_t member, member_of(form.bytes, messages, known, is_content_of));
    if (member < messages.size()) {
      contents[member] = std::move(form.bytes);
      known = member + 1;
      at += form.size;
    } else {
      ++at;
    }
  }
  return contents;
}

std::string join_ids(const std::vector<Id>& messages) {
  std::string joined;
  for (const Id& message : messages) joined += message.bytes();
  return joined;
}

std::vector<Id> split_ids(std::string_view joined) {
  std::vector<Id> messages;
  for (std::size_t at = 0; at + Id::size <= joined.size(); at += Id::size)
    messages.push_back(Id::from_bytes(joined.substr(at, Id::size)));
  return messages;
}

}  // namespace mailhold::store
