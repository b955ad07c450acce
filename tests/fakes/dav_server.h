// A CalDAV and CardDAV server in the same process, as much of one as a backup and a restore need, with the ways that real ones
// have. Sessions are signed in already. Written from RFC 4791, 6352, 6578 and 5689; Radicale is asked the same questions by the
// same contract test. Change what is public only while no request runs.
#pragma once

#include <sys/socket.h>

#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "base/text.h"
#include "features/mailboxes/mailbox.h"
#include "formats/dav/dav_path.h"
#include "formats/http/request.h"
#include "platform/net/stream.h"

namespace mailhold {

struct FakeDavItem {
  std::string content;
  std::uint64_t version = 0;
};

struct FakeCollection {
  std::string name;
  bool is_calendar = true;
  std::map<std::string, FakeDavItem> items;      // by name, as in the path
  std::map<std::string, std::uint64_t> removed;  // at which state
  std::uint64_t state = 1;

  void put(const std::string& item, std::string content) {
    items[item] = {std::move(content), ++state};
    removed.erase(item);
  }
  void remove(const std::string& item) {
    items.erase(item);
    removed[item] = ++state;
  }
};

class FakeDavServer final : public mailboxes::SessionSource {
 public:
  struct Ways {
    bool has_sync = true;
    bool has_ctag = true;
    bool has_multiget = true;
    bool tells_types = true;        // of items
    bool keeps_connections = true;  // else each answer is the last of its session
    bool tells_full_urls = false;
    bool tells_etag_of_put = true;
    bool has_well_known = true;
    bool writes_cr = true;                   // of line ends in XML
    std::size_t sync_limit = 0;              // answers no more, and 507 for the rest
    std::uint64_t oldest_token = 0;          // older ones are no longer known
    std::set<std::string> unreadable{};      // names whose contents are not given
    std::map<std::string, int> stumbles{};   // over an item of that name: what it answers to GET and PUT of it
    std::int64_t drop_after_requests = -1;   // then it hangs up, once
    bool rewrites = false;                   // what is put comes back with another PRODID and other lines
    bool drops_after_put = false;            // takes it, and never says so; once
    std::int64_t requests_until_pause = -1;  // it answers; then it wants to be left alone for two minutes
    std::set<std::string> unlisted{};        // paths of collections that their home leaves out
    std::map<std::string, int> refused{};    // a collection of that path: what it answers to PROPFIND and REPORT of it
    bool has_unique_uids = false;            // refuses a second item of one UID in a collection (RFC 4791 section 5.3.2.1)
    bool has_weak_etags = false;
  };

  FakeDavServer() {
    collections["/dav/cal/ann/work/"].name = "Work";
    collections["/dav/card/ann/friends/"].name = "Friends";
    collections["/dav/card/ann/friends/"].is_calendar = false;
  }
  ~FakeDavServer() override {
    for (std::thread& each : sessions_) each.join();
  }

  Result<ipc::OwnedFd> open(Id, Id, std::string_view, const Deadline&) override {
    return Error{ErrorKind::unsupported, "no IMAP here"};
  }
  Result<ipc::OwnedFd> open_http(Id, Id, std::string_view purpose, const Deadline&) override {
    int ends[2];
    if (is_away) return Error{ErrorKind::unavailable, "the server is away"};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    const std::lock_guard lock(mutex);
    purposes.emplace_back(purpose);
    sessions_.emplace_back([this, socket = ends[1]] { serve(net::stream_over(socket)); });
    return ipc::OwnedFd(ends[0]);
  }

  std::map<std::string, FakeCollection> collections;  // by path
  Ways ways;
  bool is_away = false;
  std::vector<std::string> purposes;
  std::vector<std::string> requests;                              // "PROPFIND /dav/cal/ann/"
  std::function<void(const std::string& request)> before_answer;  // between reading and answering; the mutex is held
  std::mutex mutex;

 private:
  struct Answer {
    int status = 200;
    std::string body;
    std::string fields{};
  };
  static Deadline soon() { return Deadline::after(std::chrono::seconds(60)); }

  void serve(std::unique_ptr<net::Stream> stream) {
    for (;;) {
      http::RequestParser parser({.body_bytes_max = 64U << 20});
      while (parser.feed("") == http::RequestParser::State::wants_more) {
        const auto bytes = stream->read_some(soon());
        if (!bytes || bytes->empty()) return;
        if (parser.feed(*bytes) != http::RequestParser::State::wants_more) break;
      }
      const std::lock_guard lock(mutex);
      const http::Request& request = parser.request();
      requests.push_back(request.method + " " + request.target);
      if (before_answer) before_answer(requests.back());
      if (ways.drop_after_requests >= 0 && ways.drop_after_requests-- == 0) return;
      const bool is_paused = ways.requests_until_pause == 0;
      if (ways.requests_until_pause > 0) --ways.requests_until_pause;
      const Answer answer = is_paused ? Answer{503, "", "retry-after: 120\r\n"} : handle(request);
      if (request.method == "PUT" && std::exchange(ways.drops_after_put, false)) return;
      const std::string close = ways.keeps_connections ? "" : "connection: close\r\n";
      if (!stream->write_all("HTTP/1.1 " + std::to_string(answer.status) + " -\r\ncontent-type: text/xml\r\n" + close +
                                 answer.fields + "content-length: " + std::to_string(answer.body.size()) + "\r\n\r\n" +
                                 answer.body,
                             soon()))
        return;
      if (!ways.keeps_connections) return;
    }
  }

  static std::string escaped(std::string_view text, bool writes_cr = true) {
    std::string out;
    for (const char letter : text) {
      if (letter == '&' || letter == '<' || letter == '>')
        out += letter == '&' ? "&amp;" : letter == '<' ? "&lt;" : "&gt;";
      else if (letter != '\r')
        out += letter;
      else if (writes_cr)
        out += "&#13;";
    }
    return out;
  }
  std::string href(const std::string& path) const { return (ways.tells_full_urls ? "https://dav.example.test" : "") + path; }
  std::string response(const std::string& path, const std::string& properties) const {
    return "<d:response><d:href>" + href(path) +
           "</d:href><d:propstat><d:prop><x:odd xmlns:x=\"urn:x\"/></d:prop><d:status>HTTP/1.1 404 Not "
           "Found</d:status></d:propstat>"
           "<d:propstat><d:prop>" +
           properties + "</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>";
  }
  std::string gone(const std::string& path) const {
    return "<d:response><d:href>" + href(path) + "</d:href><d:status>HTTP/1.1 404 Not Found</d:status></d:response>";
  }
  static Answer multistatus(const std::string& responses) {
    return {207,
            "<?xml version=\"1.0\"?>\n<d:multistatus xmlns:d=\"DAV:\" xmlns:cal=\"urn:ietf:params:xml:ns:caldav\" "
            "xmlns:card=\"urn:ietf:params:xml:ns:carddav\" "
            "xmlns:cs=\"http://calendarserver.org/ns/\">" +
                responses + "</d:multistatus>"};
  }
  std::string etag_of(const FakeDavItem& item) const {
    return std::string(ways.has_weak_etags ? "W/" : "") + "\"v" + std::to_string(item.version) + "\"";
  }
  static std::string token_of(std::uint64_t state) { return "http://dav.example.test/token/" + std::to_string(state); }

  std::string state_properties(const FakeCollection& collection) const {
    std::string out = "<d:displayname>" + escaped(collection.name) + "</d:displayname><d:resourcetype><d:collection/>" +
                      (collection.is_calendar ? "<cal:calendar/>" : "<card:addressbook/>") + "</d:resourcetype>";
    if (ways.has_ctag) out += "<cs:getctag>c" + std::to_string(collection.state) + "</cs:getctag>";
    if (ways.has_sync)
      out += "<d:sync-token>" + token_of(collection.state) +
             "</d:sync-token><d:supported-report-set><d:supported-report><d:report><d:sync-collection/></d:report>"
             "</d:supported-report></d:supported-report-set>";
    return out;
  }
  std::string item_properties(const FakeDavItem& item) const {
    const bool is_task = item.content.find("BEGIN:VTODO") != std::string::npos;
    const bool is_event = item.content.find("BEGIN:VEVENT") != std::string::npos;
    const std::string type = is_task    ? "text/calendar;component=VTODO"
                             : is_event ? "text/calendar;component=VEVENT"
                                        : "text/vcard";
    return "<d:getetag>" + etag_of(item) + "</d:getetag><d:getcontentlength>" + std::to_string(item.content.size()) +
           "</d:getcontentlength><d:resourcetype/>" +
           (ways.tells_types ? "<d:getcontenttype>" + type + "</d:getcontenttype>" : "");
  }

  Answer handle(const http::Request& request) {
    const std::string& path = request.target;
    if (request.method == "PROPFIND") return propfind(path, std::string(request.field("depth")), request.body);
    if (request.method == "MKCALENDAR" || request.method == "MKCOL") return make(path, request);
    if (request.method == "DELETE") return {collections.erase(path) > 0 ? 204 : 404, ""};
    const std::string folder = path.substr(0, path.rfind('/') + 1), name = path.substr(path.rfind('/') + 1);
    const auto found = collections.find(folder);
    if (found == collections.end()) return {404, ""};
    if (const auto answer = ways.refused.find(folder); answer != ways.refused.end()) return {answer->second, ""};
    if (request.method == "REPORT") return report(folder, found->second, request.body);
    if (const auto answer = ways.stumbles.find(name); answer != ways.stumbles.end()) return {answer->second, ""};
    if (request.method == "GET") {
      const auto item = found->second.items.find(name);
      if (item == found->second.items.end()) return {404, ""};
      if (ways.unreadable.contains(name)) return {403, ""};
      return {200, item->second.content, "etag: " + etag_of(item->second) + "\r\n"};
    }
    if (request.method != "PUT") return {405, ""};
    const auto there = found->second.items.find(name);
    const bool is_there = there != found->second.items.end();
    const std::string_view if_match = request.field("if-match");
    if (if_match.empty() && request.field("if-none-match") != "*") return {400, ""};
    // Weak tags never match (RFC 9110 section 13.1.1).
    const bool is_its_tag = is_there && !ways.has_weak_etags && if_match == etag_of(there->second);
    const bool matches = is_there && (if_match == "*" || is_its_tag);
    if (if_match.empty() ? is_there : !matches) return {412, ""};
    if (ways.has_unique_uids) {
      for (const auto& [other, item] : found->second.items) {
        if (other != name && uid_of(item.content) == uid_of(request.body))
          return {409, "<d:error xmlns:d=\"DAV:\" xmlns:c=\"urn:ietf:params:xml:ns:caldav\"><c:no-uid-conflict/></d:error>"};
      }
    }
    found->second.put(name, ways.rewrites ? rewritten(request.body) : request.body);
    return {is_there ? 204 : 201, "", ways.tells_etag_of_put ? "etag: " + etag_of(found->second.items[name]) + "\r\n" : ""};
  }

  static std::string uid_of(const std::string& content) {
    const std::size_t at = content.find("\r\nUID:");
    return at == std::string::npos ? "" : content.substr(at, content.find("\r\n", at + 2) - at);
  }

  static std::string rewritten(const std::string& content) {
    std::string out = content;
    const std::size_t at = out.find("\r\n");
    return out.insert(at + 2, "PRODID:-//Fake//DAV server//EN\r\n");
  }

  Answer propfind(const std::string& path, const std::string& depth, const std::string& body) {
    if (path.starts_with("/.well-known/")) return ways.has_well_known ? Answer{301, "", "location: /dav/\r\n"} : Answer{404, ""};
    if (body.find("current-user-principal") != std::string::npos)
      return multistatus(response(
          path, "<d:current-user-principal><d:href>" + href("/dav/users/ann/") + "</d:href></d:current-user-principal>"));
    if (path == "/dav/users/ann/")
      return multistatus(response(path, "<cal:calendar-home-set><d:href>" + href("/dav/cal/ann/") +
                                            "</d:href></cal:calendar-home-set><card:addressbook-home-set><d:href>" +
                                            href("/dav/card/ann/") + "</d:href></card:addressbook-home-set>"));
    std::string responses;
    if (path == "/dav/cal/ann/" || path == "/dav/card/ann/") {
      responses = response(path, "<d:resourcetype><d:collection/></d:resourcetype>");
      for (const auto& [each, collection] : collections) {
        if (each.starts_with(path) && !ways.unlisted.contains(each)) responses += response(each, state_properties(collection));
      }
      return multistatus(responses);
    }
    const auto found = collections.find(path);
    if (found == collections.end()) return {404, ""};
    if (const auto answer = ways.refused.find(path); answer != ways.refused.end()) return {answer->second, ""};
    responses = response(path, state_properties(found->second));
    if (depth == "1") {
      for (const auto& [name, item] : found->second.items) responses += response(path + name, item_properties(item));
    }
    return multistatus(responses);
  }

  Answer report(const std::string& path, const FakeCollection& collection, const std::string& body) {
    if (body.find("sync-collection") != std::string::npos) return sync(path, collection, body);
    if (!ways.has_multiget) return {501, ""};
    std::string responses;
    for (std::size_t at = body.find("<D:href>"); at != std::string::npos; at = body.find("<D:href>", at + 1)) {
      const std::string asked = body.substr(at + 8, body.find('<', at + 8) - at - 8);
      const std::string name = asked.substr(asked.rfind('/') + 1);
      const auto item = collection.items.find(name);
      if (item == collection.items.end())
        responses += gone(asked);
      else if (!ways.unreadable.contains(name) && !ways.stumbles.contains(name))
        responses += response(asked, "<d:getetag>" + etag_of(item->second) + "</d:getetag>" +
                                         (collection.is_calendar ? "<cal:calendar-data>" : "<card:address-data>") +
                                         escaped(item->second.content, ways.writes_cr) +
                                         (collection.is_calendar ? "</cal:calendar-data>" : "</card:address-data>"));
    }
    return multistatus(responses);
  }

  Answer sync(const std::string& path, const FakeCollection& collection, const std::string& body) const {
    if (!ways.has_sync) return {501, ""};
    const std::string begin = "http://dav.example.test/token/";
    const std::size_t at = body.find(begin);
    const auto since = at == std::string::npos
                           ? std::nullopt
                           : to_number(std::string_view(body).substr(at + begin.size(), body.find('<', at) - at - begin.size()));
    if (!since || *since < ways.oldest_token)
      return {403, "<?xml version=\"1.0\"?><d:error xmlns:d=\"DAV:\"><d:valid-sync-token/></d:error>"};
    std::map<std::uint64_t, std::string> changes;  // by state
    for (const auto& [name, item] : collection.items) {
      if (item.version > *since) changes[item.version] = response(path + name, item_properties(item));
    }
    for (const auto& [name, state] : collection.removed) {
      if (state > *since) changes[state] = gone(path + name);
    }
    std::string responses;
    std::size_t count = 0;
    std::uint64_t told = collection.state;
    for (const auto& [state, text] : changes) {
      if (ways.sync_limit > 0 && count == ways.sync_limit) {
        responses += "<d:response><d:href>" + href(path) +
                     "</d:href><d:status>HTTP/1.1 507 Insufficient "
                     "Storage</d:status><d:error><d:number-of-matches-within-limits/></d:error></d:response>";
        break;
      }
      responses += text;
      told = ++count == ways.sync_limit ? state : collection.state;
    }
    return multistatus(responses + "<d:sync-token>" + token_of(told) + "</d:sync-token>");
  }

  Answer make(const std::string& path, const http::Request& request) {
    if (collections.contains(path)) return {405, ""};
    const std::size_t at = request.body.find("<D:displayname>");
    FakeCollection& made = collections[path];
    made.name = request.body.substr(at + 15, request.body.find("</D:displayname>") - at - 15);
    for (std::size_t amp = made.name.find("&amp;"); amp != std::string::npos; amp = made.name.find("&amp;", amp + 1))
      made.name.replace(amp, 5, "&");
    made.is_calendar = request.method == "MKCALENDAR";
    return {201, ""};
  }

  std::vector<std::thread> sessions_;
};

}  // namespace mailhold
