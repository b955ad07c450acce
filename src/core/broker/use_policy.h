// What decides whether a route or a connection may be used, as pure questions: who asks for what, for which purpose, with which
// program, within which caps. Broker asks them before anything is written, dialled or opened. Any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/id.h"
#include "base/result.h"
#include "core/access/connection.h"
#include "core/access/operation.h"
#include "core/access/route.h"
#include "core/broker/broker_messages.h"

namespace mailhold::broker {

// What was used of a connection in an hour or a day.
struct Usage {
  std::uint64_t sessions = 0, items = 0, bytes = 0, mailboxes = 0;
};

// Whether the process of that role may ask brokerd for it.
bool may_call(std::string_view role, Method method);

// not_found for another tenant's route, and for none; denied if it takes no sessions with a credential now.
Status check_route_use(const access::Route* route, Id tenant);

// `program`: SHA-256 of the program that asks, in hex; looked at only where the connection names its workers. `permit`: what
// was signed for this use, if the request names such a thing. Without one there is no session that writes a restore. One for
// another mailbox than the items are from, which two people have signed, opens a suspended connection too; none opens another
// connection than its own.
// unsupported: another kind of connection; denied: another tenant's, suspended, another purpose, another program, no permit, a
// permit for something else.
Status check_connection_use(const access::Connection& connection, const OpenConnection& request, std::string_view program,
                            const access::Operation* permit);

// The purpose that a session is filtered by, and that stands in the ledger: the one it was asked for, but backup.read where the
// permit is for a dry run, and overwrite_purpose where one that lets items be written over opens a session over http.
std::string purpose_of_session(const OpenConnection& request, const access::Operation* permit);

// Whether what is signed for lets contents be written over that are there: it overwrites, over http, and is no dry run. Over IMAP
// no content can be written over, and flags pass in any case. Takes two people, whatever place it goes to.
bool writes_over(const access::Operation& restore, access::ConnectionKind kind);

// Whether a restore over `writing` goes to where a mailbox is read over `reading`: the same account of the same tenant at the
// same server, proved in the same way, and in it no folder, mailbox or path that is not read. Anything else is somebody else's
// place, as far as can be known, and takes two people.
bool is_own_place(const access::Connection& reading, const access::Connection& writing);

// The mailbox that a restore is signed for to be written to: another one, or the one that the items are from.
std::string written_mailbox(const access::Operation& restore);

// limit_exceeded names the cap that is reached, so that no session begins.
Status check_caps(const access::Caps& caps, const Usage& in_hour, const Usage& in_day);

// What a cap still leaves; UINT64_MAX without one.
std::uint64_t left_of(std::uint64_t cap, std::uint64_t used);

}  // namespace mailhold::broker
