#include "formats/ldap/ldap_request_filter.h"

#include <algorithm>

#include "base/text.h"
#include "formats/ldap/ber.h"

namespace mailhold::ldap {
namespace {

constexpr std::string_view who_am_i = "1.3.6.1.4.1.4203.1.11.3";
constexpr std::string_view controls_allowed[] = {"1.2.840.113556.1.4.319",   // paged results (RFC 2696)
                                                 "1.2.840.113556.1.4.417"};  // deleted objects of Active Directory
constexpr std::string_view credentials[] = {
    "userpassword", "unicodepwd",           "dbcspwd",    "ntpwdhistory",  "lmpwdhistory",    "supplementalcredentials",
    "authpassword", "msds-managedpassword", "pwdhistory", "ms-mcs-admpwd", "mslaps-password", "mslaps-encryptedpassword"};
constexpr int depth_max = 32;
constexpr std::size_t attributes_max = 256;

Error refused(const char* why) { return {ErrorKind::denied, why}; }

// A name, perhaps with options: "cn;lang-de". A number (OID) could name a credential: it is not taken.
bool is_harmless(std::string_view attribute) {
  const std::string name = to_lower(attribute.substr(0, attribute.find(';')));
  if (name.empty() || name.size() > 128 || !(name[0] >= 'a' && name[0] <= 'z')) return false;
  if (!std::all_of(name.begin(), name.end(), [](char letter) {
        return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '-';
      }))
    return false;
  return !name.starts_with("krb") && !name.starts_with("samba") &&
         std::find(std::begin(credentials), std::end(credentials), name) == std::end(credentials);
}

// RFC 4511 section 4.5.1.7
bool is_harmless_filter(const Element& filter, int depth) {
  if (depth > depth_max) return false;
  BerReader parts(filter.content);
  switch (filter.tag) {
    case 0xa0:  // and
    case 0xa1:  // or
    case 0xa2:  // not
      while (!parts.is_at_end()) {
        const auto part = parts.next();
        if (!part || !is_harmless_filter(*part, depth + 1)) return false;
      }
      return true;
    case 0x87: return is_harmless(filter.content);  // present
    case 0xa3:                                      // equality
    case 0xa4:                                      // substrings
    case 0xa5:                                      // greater
    case 0xa6:                                      // less
    case 0xa8: {                                    // approximately
      const auto attribute = parts.next(tag_octets);
      return attribute && is_harmless(attribute->content);
    }
    default: return false;  // extensible matches reach any attribute
  }
}

// "CN=a, DC=b" -> "cn=a,dc=b"; nothing where a value is quoted or escaped.
std::optional<std::string> plain_dn(std::string_view dn) {
  std::string out;
  for (const auto part : split(dn, ',')) {
    const std::size_t equals = part.find('=');
    if (part.find_first_of("\\\"+#;<>") != std::string_view::npos || (equals == std::string_view::npos && !trim(part).empty()))
      return std::nullopt;
    if (!out.empty()) out += ',';
    if (equals != std::string_view::npos)
      out += to_lower(trim(part.substr(0, equals))) + "=" + to_lower(trim(part.substr(equals + 1)));
  }
  return out;
}

Status check_search(std::string_view content, const std::vector<std::string>& bases) {
  BerReader reader(content);
  const auto base = reader.next(tag_octets);
  const auto scope = reader.number(tag_enumerated);
  const auto aliases = reader.number(tag_enumerated);
  const auto size_limit = reader.number(tag_integer);
  const auto time_limit = reader.number(tag_integer);
  const auto types_only = reader.next(tag_boolean);
  const auto filter = reader.next();
  const auto attributes = reader.next(tag_sequence);
  if (!base || !scope || !aliases || !size_limit || !time_limit || !types_only || !filter || !attributes || !reader.is_at_end())
    return refused("a search that cannot be read");
  const bool is_root = base->content.empty() && *scope == 0;  // what the server says of itself
  if (!is_root && !is_below(base->content, bases)) return refused("the base is outside the scope of this connection");
  if (*aliases != 0) return refused("aliases lead out of the scope of this connection");
  if (!is_harmless_filter(*filter, 0)) return refused("the filter names an attribute that is not given out");
  BerReader names(attributes->content);
  std::size_t count = 0;
  while (!names.is_at_end()) {
    const auto name = names.next(tag_octets);
    if (!name || ++count > attributes_max) return refused("a search that cannot be read");
    const bool may_be_asked =
        name->content == "1.1" || is_harmless(name->content) || (is_root && (name->content == "*" || name->content == "+"));
    if (!may_be_asked) return refused("an attribute that is not given out");
  }
  if (count == 0 && !is_root) return refused("a search must name its attributes");
  return done();
}

Status check_controls(std::string_view controls) {
  BerReader reader(controls);
  while (!reader.is_at_end()) {
    const auto control = reader.next(tag_sequence);
    const auto oid = control ? BerReader(control->content).next(tag_octets) : std::nullopt;
    if (!oid || std::find(std::begin(controls_allowed), std::end(controls_allowed), oid->content) == std::end(controls_allowed))
      return refused("a control that is not allowed");
  }
  return done();
}

}  // namespace

bool is_below(std::string_view dn, const std::vector<std::string>& bases) {
  if (std::find(bases.begin(), bases.end(), "*") != bases.end()) return true;
  const auto wanted = plain_dn(dn);
  return wanted && std::any_of(bases.begin(), bases.end(), [&](const std::string& base) {
           const auto known = plain_dn(base);
           return known && !known->empty() && (*wanted == *known || wanted->ends_with("," + *known));
         });
}

Status check_request(const Message& message, const std::vector<std::string>& bases) {
  RETURN_IF_ERROR(check_controls(message.controls));
  switch (static_cast<Operation>(message.operation)) {
    case Operation::search: return check_search(message.content, bases);
    case Operation::abandon:
    case Operation::unbind: return done();
    case Operation::extended: {
      const auto name = BerReader(message.content).next(0x80);
      return name && name->content == who_am_i ? done() : Status(refused("an extended operation that is not allowed"));
    }
    default: return refused("a directory is only read");
  }
}

}  // namespace mailhold::ldap
