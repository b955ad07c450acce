#include "features/scanning/checks/links.h"

#include <algorithm>

#include "formats/mail/message_links.h"

namespace mailhold::scanning {
namespace {

constexpr std::size_t wrapped_bytes_max = 8192;
constexpr std::size_t url_bytes_max = 32u << 10;  // what a browser would still follow
constexpr std::size_t asked_bytes_max = 8u << 20;

void say_what_was_left(Scan& scan, const mail::MessageLinks& links) {
  for (const mail::LinksLeft left : links.left) {
    switch (left) {
      case mail::LinksLeft::too_many:
        scan.reason("links.too_many", "There are more links than are rewritten; the rest is left as it is.");
        break;
      case mail::LinksLeft::protected_part:
        scan.reason("links.protected", "Links in signed or encrypted parts are left as they are.");
        break;
      case mail::LinksLeft::odd_charset:
        scan.reason("links.odd_charset", "Links in a part with a wide charset are left as they are.");
        break;
      case mail::LinksLeft::odd_encoding:
        scan.reason("links.odd_encoding", "Links in a part that is not properly encoded are left as they are.");
        break;
      case mail::LinksLeft::none: break;
    }
  }
  if (links.ambiguous_html)
    scan.reason("links.ambiguous_html",
                "Browsers may disagree about the tags of an HTML part; links of every reading are rewritten.");
}

// What was answered stands in a message: one line of visible ASCII, or the link stays.
bool is_fit_for_mail(std::string_view url) {
  if (url.empty() || url.size() > wrapped_bytes_max) return false;
  return std::all_of(url.begin(), url.end(), [](char c) {
    return static_cast<unsigned char>(c) > 32 && static_cast<unsigned char>(c) < 127 && c != '<' && c != '>' && c != '"';
  });
}

std::vector<std::string> ask(Scan& scan, const mail::MessageLinks& links) {
  const std::string& base = scan.request.link_base;
  std::vector<std::string> asked;
  std::vector<std::size_t> places;
  std::size_t asked_bytes = 0;
  for (std::size_t i = 0; i < links.urls.size(); ++i) {
    if (!base.empty() && links.urls[i].starts_with(base)) continue;  // ours already
    asked_bytes += links.urls[i].size() + 4;
    if (links.urls[i].size() > url_bytes_max || asked_bytes > asked_bytes_max) {
      scan.reason("links.too_long", "Links that are too long to be rewritten are left as they are.");
      continue;
    }
    asked.push_back(links.urls[i]);
    places.push_back(i);
  }
  std::vector<std::string> replacements(links.urls.size());
  if (asked.empty()) return replacements;
  std::vector<std::string> answered = scan.answers.wrap(asked, scan.deadline);
  for (std::size_t i = 0; i < std::min(answered.size(), places.size()); ++i) {
    if (is_fit_for_mail(answered[i])) replacements[places[i]] = std::move(answered[i]);
  }
  return replacements;
}

void note_protected_parts(Scan& scan) {
  for (std::size_t i = 0; i < scan.message.parts.size(); ++i) {
    const mime::Part& part = scan.message.parts[i];
    if (!part.is_leaf() || !mail::is_protected(scan.bytes(), scan.message, i)) continue;
    scan.result.findings.protected_content = true;
    scan.reason("content.protected", "The message has signed or encrypted parts, which are left byte for byte.");
    return;
  }
}

}  // namespace

void check_links(Scan& scan) {
  note_protected_parts(scan);
  const mail::MessageLinks links = mail::find_links(scan.bytes(), scan.message, {scan.limits.links_max});
  scan.result.facts.link_count = links.count;
  if (!scan.request.rewrite_links) return;
  say_what_was_left(scan, links);
  if (links.urls.empty()) return;
  const std::vector<std::string> replacements = ask(scan, links);
  std::vector<Splice> splices =
      mail::replace_links(scan.bytes(), scan.message, links, replacements, scan.limits.replaced_bytes_max);
  std::move(splices.begin(), splices.end(), std::back_inserter(scan.result.splices));
}

}  // namespace mailhold::scanning
