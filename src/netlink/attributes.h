// Messages of rtnetlink taken apart and put together. Used by this folder's files; mechanism only.
//
// Reading never goes beyond the bytes of the message: an attribute that is cut short or contradicts itself is left out.
#pragma once

#include <libmnl/libmnl.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>

namespace midonet::netlink {

// Calls `each` for the attributes from `begin` on that lie wholly within `length` bytes.
template <class Each>
void each_attribute(const void* begin, std::size_t length, Each each) {
  const auto* at = static_cast<const std::uint8_t*>(begin);
  while (length >= sizeof(nlattr)) {
    const auto* attribute = reinterpret_cast<const nlattr*>(at);
    if (!mnl_attr_ok(attribute, static_cast<int>(length))) return;
    each(attribute);
    const std::size_t step = std::min<std::size_t>(MNL_ALIGN(mnl_attr_get_len(attribute)), length);
    at += step;
    length -= step;
  }
}

// Those of a message, behind its fixed part of `header_bytes`.
template <class Each>
void each_attribute_of(const nlmsghdr* message, std::size_t header_bytes, Each each) {
  const std::size_t payload = mnl_nlmsg_get_payload_len(message);
  const std::size_t skip = MNL_ALIGN(header_bytes);
  if (payload >= skip) each_attribute(mnl_nlmsg_get_payload_offset(message, skip), payload - skip, each);
}

// Those within an attribute.
template <class Each>
void each_nested(const nlattr* outer, Each each) {
  each_attribute(mnl_attr_get_payload(outer), mnl_attr_get_payload_len(outer), each);
}

// Values of attributes; "" or 0 for one of another length.
inline std::string text_of(const nlattr* attribute) {
  const auto* begin = static_cast<const char*>(mnl_attr_get_payload(attribute));
  return {begin, ::strnlen(begin, mnl_attr_get_payload_len(attribute))};
}
inline std::uint32_t number_of(const nlattr* attribute) {  // of 1, 2 or 4 bytes, in the host's order
  switch (mnl_attr_get_payload_len(attribute)) {
    case 1: return mnl_attr_get_u8(attribute);
    case 2: return mnl_attr_get_u16(attribute);
    case 4: return mnl_attr_get_u32(attribute);
    default: return 0;
  }
}

// A request under construction: a header, a Body of zeroes (ifinfomsg, tcmsg, …), and the attributes that the caller adds to
// header().
template <class Body>
class Request {
 public:
  Request(std::uint16_t type, unsigned flags) {
    mnl_nlmsg_put_header(bytes_.data());
    header()->nlmsg_type = type;
    header()->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    mnl_nlmsg_put_extra_header(header(), sizeof(Body));
  }
  nlmsghdr* header() { return reinterpret_cast<nlmsghdr*>(bytes_.data()); }
  Body& body() { return *static_cast<Body*>(mnl_nlmsg_get_payload(header())); }

 private:
  alignas(nlmsghdr) std::array<char, 1024> bytes_{};
};

}  // namespace midonet::netlink
