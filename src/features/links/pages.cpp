#include "features/links/pages.h"

#include "base/text.h"
#include "features/links/page_texts.h"
#include "formats/url/host.h"
#include "platform/crypto/hash.h"

namespace mailhold::links {
namespace {

constexpr std::size_t shown_bytes_max = 600;

// Dark and light by what the reader's system asks for. The mark before the heading is a shape, not only a colour.
constexpr std::string_view style =
    ":root{color-scheme:light "
    "dark;--back:#f3f4f6;--card:#fff;--text:#1b1f24;--soft:#545c66;--line:#d5d9de;--warn:#8a5a00;--block:#a3161d;"
    "--calm:#1d5fa8}"
    "@media(prefers-color-scheme:dark){:root{--back:#14171a;--card:#1e2226;--text:#eceff2;--soft:#a9b2bc;--line:#3a4149;--warn:#"
    "f0b849;"
    "--block:#ff8a84;--calm:#7db7f5}}"
    "*{box-sizing:border-box}"
    "body{margin:0;background:var(--back);color:var(--text);font:1.0625rem/1.55 system-ui,-apple-system,'Segoe "
    "UI',Roboto,sans-serif}"
    "main{width:min(40rem,100% - 1.5rem);margin:6vh auto 2rem;padding:2rem 2.25rem;background:var(--card);border:1px solid "
    "var(--line);"
    "border-top:.4rem solid var(--tone);border-radius:.6rem}"
    ".warn{--tone:var(--warn)}.block{--tone:var(--block)}.calm{--tone:var(--calm)}"
    "h1{display:flex;align-items:flex-start;font-size:1.5rem;line-height:1.25;margin:0 0 1rem}"
    "h1 span{display:inline-block;min-width:2.1rem;margin-right:.6rem;padding:0 .4rem;border:.15rem solid "
    "var(--tone);border-radius:.4rem;"
    "color:var(--tone);text-align:center}"
    "dl{margin:1.25rem 0;padding:1rem 1.1rem;border:1px solid var(--line);border-radius:.4rem}"
    "dt{color:var(--soft);font-size:.9rem}dd{margin:0 0 .7rem;overflow-wrap:anywhere}dd:last-child{margin:0}"
    "dd strong{font-size:1.2rem}code{font:.9rem/1.5 ui-monospace,Menlo,Consolas,monospace}"
    "li{margin:.3rem 0}"
    "button{margin-top:.5rem;padding:.65rem 1.1rem;font:inherit;color:var(--text);background:transparent;border:1px solid "
    "var(--soft);"
    "border-radius:.4rem;cursor:pointer}"
    "button:hover{border-color:var(--tone)}button:focus-visible{outline:.2rem solid var(--calm);outline-offset:.15rem}"
    "footer{max-width:40rem;margin:0 auto 2rem;padding:0 1rem;color:var(--soft);font-size:.9rem;text-align:center}";

enum class Tone { warn, block, calm };

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}

// An address as text: never clickable, at a bearable length, cut between characters.
std::string shown(std::string_view address) {
  if (address.size() <= shown_bytes_max) return escaped(address);
  std::size_t end = shown_bytes_max;
  while (end > 0 && (static_cast<unsigned char>(address[end]) & 0xC0U) == 0x80U) --end;
  return escaped(address.substr(0, end)) + " \xe2\x80\xa6";
}

const std::string& content_security_policy() {
  // Without form-action for other hosts a browser would stop the redirect that follows the form.
  static const std::string policy = "default-src 'none'; style-src 'sha256-" + to_base64(crypto::sha256(style)) +
                                    "'; form-action 'self' http: https:; base-uri 'none'; frame-ancestors 'none'";
  return policy;
}

std::vector<std::pair<std::string, std::string>> fields_of_all() {
  return {{"Cache-Control", "no-store"},
          {"Referrer-Policy", "no-referrer"},
          {"X-Content-Type-Options", "nosniff"},
          {"X-Robots-Tag", "noindex, nofollow"}};
}

std::string_view code_of(Language language) { return language == Language::german ? "de" : "en"; }

http::Response framed(Language language, int status, Tone tone, std::string_view heading, std::string_view inside) {
  const std::string_view tones[] = {"warn", "block", "calm"};
  const std::string_view marks[] = {"!", "\xc3\x97", "i"};
  const auto which = static_cast<std::size_t>(tone);
  http::Response response;
  response.status = status;
  response.fields = fields_of_all();
  response.fields.emplace_back("Content-Type", "text/html; charset=utf-8");
  response.fields.emplace_back("Content-Language", code_of(language));
  response.fields.emplace_back("Vary", "Accept-Language");
  response.fields.emplace_back("Content-Security-Policy", content_security_policy());
  response.body =
      "<!DOCTYPE html>\n<html lang=\"" + std::string(code_of(language)) +
      "\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"robots\" content=\"noindex\">\n<title>" +
      std::string(heading) + "</title>\n<style>" + std::string(style) + "</style>\n</head>\n<body>\n<main class=\"" +
      std::string(tones[which]) + "\">\n<h1><span aria-hidden=\"true\">" + std::string(marks[which]) + "</span>" +
      std::string(heading) + "</h1>\n" + std::string(inside) + "</main>\n<footer>" +
      std::string(text_of(language, PageText::footer)) + "</footer>\n</body>\n</html>\n";
  return response;
}

std::string paragraph(std::string_view html) { return "<p>" + std::string(html) + "</p>\n"; }

std::string reasons_list(Language language, const ClickDecision& decision) {
  if (decision.reasons.empty()) return {};
  std::string list = "<ul>\n";
  for (ClickReason reason : decision.reasons) {
    list += "<li>" + std::string(text_of(language, reason));
    const bool names_domain = reason == ClickReason::homograph || reason == ClickReason::typo || reason == ClickReason::embedded;
    if (names_domain) list += " <strong>" + escaped(url::to_unicode(decision.resembled)) + "</strong>";
    list += "</li>\n";
  }
  return list + "</ul>\n";
}

// The host in the form people read, and as it is on the wire when that differs.
std::string address_list(Language language, std::string_view address) {
  std::string list = "<dl>\n";
  if (const Result<url::Url> url = url::parse(address)) {
    const std::string readable = url::to_unicode(url->host);
    list += "<dt>" + std::string(text_of(language, PageText::host)) + "</dt><dd><strong>" + escaped(readable) + "</strong>";
    if (readable != url->host) list += " <code>" + escaped(url->host) + "</code>";
    list += "</dd>\n";
  }
  return list + "<dt>" + std::string(text_of(language, PageText::address)) + "</dt><dd><code>" + shown(address) +
         "</code></dd>\n</dl>\n";
}

double quality_of(std::string_view parameters) {
  const std::size_t at = parameters.find("q=");
  if (at == std::string_view::npos) return 1;
  const std::string_view digits = parameters.substr(at + 2, 5);
  double value = 0, place = 1;
  bool after_point = false;
  for (char c : digits) {
    if (c == '.') {
      after_point = true;
    } else if (c >= '0' && c <= '9') {
      place = after_point ? place / 10 : place;
      value = after_point ? value + place * (c - '0') : value * 10 + (c - '0');
    } else {
      break;
    }
  }
  return value;
}

}  // namespace

Language preferred_language(std::string_view accept_language) {
  double english = 0, german = 0, any = 0;
  for (std::string_view range : split(accept_language.substr(0, 512), ',')) {
    const std::size_t semicolon = std::min(range.find(';'), range.size());
    const std::string_view tag = trim(range.substr(0, semicolon));
    const double quality = quality_of(range.substr(semicolon));
    const std::string_view primary = tag.substr(0, tag.find('-'));
    if (equals_ignoring_case(primary, "en")) english = std::max(english, quality);
    if (equals_ignoring_case(primary, "de")) german = std::max(german, quality);
    if (primary == "*") any = std::max(any, quality);
  }
  return german > std::max(english, any) ? Language::german : Language::english;
}

http::Response warning_page(Language language, const url::Url& url, const ClickDecision& decision, std::string_view action,
                            std::string_view proof) {
  std::string inside = paragraph(text_of(language, PageText::warn_intro));
  inside += reasons_list(language, decision);
  inside += address_list(language, url.href());
  inside += paragraph(text_of(language, PageText::warn_advice));
  inside += "<form method=\"post\" action=\"" + escaped(action) + "\">\n<input type=\"hidden\" name=\"continue\" value=\"" +
            escaped(proof) + "\">\n<button type=\"submit\">" + std::string(text_of(language, PageText::go_on)) +
            "</button>\n</form>\n";
  return framed(language, 200, Tone::warn, text_of(language, PageText::warn_heading), inside);
}

http::Response block_page(Language language, std::string_view address, const ClickDecision& decision) {
  const std::string inside = paragraph(text_of(language, PageText::block_intro)) + reasons_list(language, decision) +
                             address_list(language, address) + paragraph(text_of(language, PageText::block_advice));
  return framed(language, 403, Tone::block, text_of(language, PageText::block_heading), inside);
}

http::Response preview_page(Language language, std::string_view address, const ClickDecision& decision) {
  const PageText verdict = decision.decision == Decision::block  ? PageText::preview_blocked
                           : decision.decision == Decision::warn ? PageText::preview_warned
                                                                 : PageText::preview_allowed;
  const std::string inside = paragraph(text_of(language, PageText::preview_intro)) + address_list(language, address) +
                             paragraph(text_of(language, verdict)) + reasons_list(language, decision);
  return framed(language, 200, Tone::calm, text_of(language, PageText::preview_heading), inside);
}

http::Response notice_page(Language language, Notice notice, int status) {
  const auto [heading, text] = text_of(language, notice);
  const bool calm = notice == Notice::home || notice == Notice::try_again || notice == Notice::too_many_requests;
  return framed(language, status, calm ? Tone::calm : Tone::block, heading, paragraph(text));
}

http::Response redirect(const url::Url& url, int status) {
  http::Response response;
  response.status = status;
  response.fields = fields_of_all();
  response.fields.emplace_back("Location", url.href());
  return response;
}

}  // namespace mailhold::links
