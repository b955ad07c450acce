#include "formats/mail/message_links.h"

#include <algorithm>
#include <unordered_map>

#include "base/text.h"
#include "formats/html/html_links.h"
#include "formats/mail/link_writer.h"
#include "formats/mime/parameters.h"
#include "formats/mime/transfer.h"
#include "formats/url/text_links.h"

namespace mailhold::mail {
namespace {

bool is_protected_type(std::string_view type) {
  return type == "multipart/signed" || type == "multipart/encrypted" || type == "application/pkcs7-mime" ||
         type == "application/x-pkcs7-mime" || type == "application/pgp-encrypted";
}

bool has_pgp_text(const mime::Part& part, std::string_view body) {
  return part.is_text() && body.find("-----BEGIN PGP ") != std::string_view::npos;
}

bool keeps_ascii(std::string_view bytes, const mime::Message& message, const mime::Part& part) {
  const mime::Field* field = message.find(bytes, part, "content-type");
  if (field == nullptr) return true;
  const mime::ParameterizedValue type = mime::parse_parameters(field->value.of(bytes));
  const mime::Parameter* parameter = type.find("charset");
  if (parameter == nullptr) return true;
  const std::string charset = to_lower(parameter->value);
  for (const std::string_view wide : {"utf-16", "utf16", "utf-32", "utf32", "utf-7", "utf7", "ucs-2", "iso-10646", "unicode"}) {
    if (charset.find(wide) != std::string::npos) return false;
  }
  return true;
}

bool is_attachment(std::string_view bytes, const mime::Message& message, const mime::Part& part) {
  const mime::Field* field = message.find(bytes, part, "content-disposition");
  return field != nullptr && starts_with_ignoring_case(trim(field->value.of(bytes)), "attachment");
}

class Finder {
 public:
  Finder(std::string_view bytes, const mime::Message& message, const LinkLimits& limits)
      : bytes_(bytes), message_(message), limits_(limits) {}

  MessageLinks run() {
    for (std::size_t i = 0; i < message_.parts.size(); ++i) look_into(i);
    return std::move(found_);
  }

 private:
  void leave(LinksLeft why) {
    if (std::find(found_.left.begin(), found_.left.end(), why) == found_.left.end()) found_.left.push_back(why);
  }

  void look_into(std::size_t index) {
    const mime::Part& part = message_.parts[index];
    const bool html = part.type == "text/html";
    if (!part.is_leaf() || (!html && part.type != "text/plain") || part.body.empty()) return;
    if (is_attachment(bytes_, message_, part)) return;
    std::string decoded;
    const std::string_view body = part.body.of(bytes_);
    if (part.doubtful_encoding || part.encoding == mime::Encoding::uuencode || part.encoding == mime::Encoding::unknown)
      return leave(LinksLeft::odd_encoding);
    std::string_view text = body;
    if (part.encoding != mime::Encoding::identity) {
      const bool base64 = part.encoding == mime::Encoding::base64;
      mime::Decoded result = base64 ? mime::decode_base64(body) : mime::decode_quoted_printable(body);
      if (base64 && (result.leniency.junk || result.leniency.data_after_padding)) return leave(LinksLeft::odd_encoding);
      decoded = std::move(result.bytes);
      text = decoded;
    }
    if (text.size() > limits_.text_bytes_max - text_bytes_) return leave(LinksLeft::too_many);
    text_bytes_ += text.size();
    if (text.find("http") == std::string_view::npos && text.find("//") == std::string_view::npos && !html) return;
    if (is_protected(bytes_, message_, index)) return leave(LinksLeft::protected_part);
    if (!keeps_ascii(bytes_, message_, part)) return leave(LinksLeft::odd_charset);
    PartLinks links{static_cast<std::uint32_t>(index), html, {}};
    html ? collect_html(text, links) : collect_text(text, links);
    if (!links.links.empty()) found_.parts.push_back(std::move(links));
  }

  void collect_html(std::string_view text, PartLinks& links) {
    html::HtmlLinks list = html::find_links(text);
    found_.ambiguous_html |= list.ambiguous;
    if (list.truncated) leave(LinksLeft::too_many);
    for (html::HtmlLink& link : list.links) add(links, link.offset, link.length, link.quote, std::move(link.url));
  }

  void collect_text(std::string_view text, PartLinks& links) {
    url::TextLinks list = url::find_links_in_text(text);
    if (list.truncated) leave(LinksLeft::too_many);
    for (url::TextLink& link : list.links) add(links, link.offset, link.length, 0, std::move(link.url));
  }

  void add(PartLinks& links, std::size_t offset, std::size_t length, char quote, std::string url) {
    if (found_.count >= limits_.links_max) return leave(LinksLeft::too_many);
    ++found_.count;
    const auto [entry, fresh] = index_.try_emplace(std::move(url), static_cast<std::uint32_t>(found_.urls.size()));
    if (fresh) found_.urls.push_back(entry->first);
    links.links.push_back({offset, length, quote, entry->second});
  }

  std::string_view bytes_;
  const mime::Message& message_;
  LinkLimits limits_;
  MessageLinks found_;
  std::size_t text_bytes_ = 0;
  std::unordered_map<std::string, std::uint32_t> index_;
};

}  // namespace

bool is_protected(std::string_view bytes, const mime::Message& message, std::size_t part) {
  const mime::Part& self = message.parts[part];
  if (has_pgp_text(self, self.body.of(bytes))) return true;
  for (auto at = static_cast<std::int32_t>(part); at != mime::no_part; at = message.parts[static_cast<std::size_t>(at)].parent) {
    if (is_protected_type(message.parts[static_cast<std::size_t>(at)].type)) return true;
  }
  return false;
}

MessageLinks find_links(std::string_view bytes, const mime::Message& message, const LinkLimits& limits) {
  return Finder(bytes, message, limits).run();
}

std::vector<Splice> replace_links(std::string_view bytes, const mime::Message& message, const MessageLinks& links,
                                  const std::vector<std::string>& replacements, std::size_t bytes_max) {
  std::vector<Splice> splices;
  std::size_t total = 0;
  for (const PartLinks& part_links : links.parts) {
    const mime::Part& part = message.parts[part_links.part];
    std::vector<TextChange> changes;
    for (const MessageLink& link : part_links.links) {
      if (link.url >= replacements.size() || replacements[link.url].empty()) continue;
      const std::string& replacement = replacements[link.url];
      changes.push_back({link.offset, link.length, part_links.html ? html::escape_for_attribute(replacement) : replacement});
    }
    if (changes.empty()) continue;
    std::vector<Splice> made = splices_for(part.body.of(bytes), part.body.offset, part.encoding, changes);
    std::size_t size = 0;
    for (const Splice& splice : made) size += splice.replacement.size();
    if (size > bytes_max - total) continue;
    total += size;
    std::move(made.begin(), made.end(), std::back_inserter(splices));
  }
  return splices;
}

}  // namespace mailhold::mail
