/* http_lines.h - requests that are refused and requests that are let pass, for
 * the framing tests. docs/design/http.md says why. */

#ifndef WIRE_HTTP_LINES_H
#define WIRE_HTTP_LINES_H

#include <kan/base.h>

struct line
{
    const char *name;
    int status; /* of the one answer; 200: one request, one answer */
    struct kan_slice bytes;
};

#define H       "Host: h\r\n"
#define CHUNKED "POST /x HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
#define LINE(name, status, literal)      \
    {                                    \
        name, status,                    \
        {                                \
            literal, sizeof(literal) - 1 \
        }                                \
    }

static const struct line refused[] = {
    /* the seventeen requests that tell servers apart, in notes on smuggling */
    LINE("length and chunked", 400,
         "POST /x HTTP/1.1\r\n" H
         "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
         "0\r\n\r\n"),
    LINE("chunked and length", 400,
         "POST /x HTTP/1.1\r\n" H
         "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"
         "0\r\n\r\n"),
    LINE("two different lengths", 400,
         "POST /x HTTP/1.1\r\n" H
         "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
    LINE("two equal lengths", 400,
         "POST /x HTTP/1.1\r\n" H
         "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    LINE("two lengths, case aside", 400,
         "POST /x HTTP/1.1\r\n" H
         "content-length: 5\r\nCONTENT-LENGTH: 5\r\n\r\nhello"),
    LINE("chunked, identity", 400,
         "POST /x HTTP/1.1\r\n" H
         "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    LINE("xchunked", 400,
         "POST /x HTTP/1.1\r\n" H
         "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    LINE("space before the colon", 400,
         "POST /x HTTP/1.1\r\n" H "Content-Length : 5\r\n\r\nhello"),
    LINE("tab before the colon", 400,
         "POST /x HTTP/1.1\r\n" H "Transfer-Encoding\t: chunked\r\n\r\n"),
    LINE("no host", 400, "GET /x HTTP/1.1\r\nAccept: */*\r\n\r\n"),
    LINE("two hosts", 400, "GET /x HTTP/1.1\r\n" H "Host: i\r\n\r\n"),
    LINE("two equal hosts", 400, "GET /x HTTP/1.1\r\n" H H "\r\n"),
    LINE("folded line", 400, "GET /x HTTP/1.1\r\n" H "A: b\r\n c\r\n\r\n"),
    LINE("line folded with a tab", 400,
         "GET /x HTTP/1.1\r\n" H "A: b\r\n\tc\r\n\r\n"),
    LINE("folded first line", 400, "GET /x HTTP/1.1\r\n " H "\r\n"),
    LINE("bare LF everywhere", 400, "GET /x HTTP/1.1\nHost: h\n\n"),
    LINE("bare LF in the request line", 400, "GET /x HTTP/1.1\n" H "\r\n"),
    LINE("bare LF behind a header", 400, "GET /x HTTP/1.1\r\nHost: h\n\r\n"),
    LINE("bare LF as the empty line", 400, "GET /x HTTP/1.1\r\n" H "\n"),
    LINE("bare LF within a value", 400,
         "GET /x HTTP/1.1\r\n" H "A: b\nTransfer-Encoding: chunked\r\n\r\n"),
    LINE("bare CR in a value", 400, "GET /x HTTP/1.1\r\n" H "A: b\rc\r\n\r\n"),
    LINE("bare CR before the request", 400, "\rGET /x HTTP/1.1\r\n" H "\r\n"),
    LINE("CR CR LF", 400, "GET /x HTTP/1.1\r\n" H "A: b\r\r\n\r\n"),
    LINE("NUL in a value", 400, "GET /x HTTP/1.1\r\n" H "A: b\0c\r\n\r\n"),
    LINE("NUL in a name", 400, "GET /x HTTP/1.1\r\n" H "A\0: b\r\n\r\n"),
    LINE("escape in a value", 400, "GET /x HTTP/1.1\r\n" H "A: b\033c\r\n\r\n"),
    LINE("DEL in a value", 400, "GET /x HTTP/1.1\r\n" H "A: b\177c\r\n\r\n"),
    LINE("vertical tab before chunked", 400,
         "POST /x HTTP/1.1\r\n" H
         "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n"),

    /* lengths */
    LINE("length with a plus", 400,
         "POST /x HTTP/1.1\r\n" H "Content-Length: +5\r\n\r\nhello"),
    LINE("length with a minus", 400,
         "POST /x HTTP/1.1\r\n" H "Content-Length: -5\r\n\r\nhello"),
    LINE("length in two words", 400,
         "POST /x HTTP/1.1\r\n" H "Content-Length: 5 5\r\n\r\nhello"),
    LINE("length in hex", 400,
         "POST /x HTTP/1.1\r\n" H "Content-Length: 0x5\r\n\r\nhello"),
    LINE("length with a unit", 400,
         "POST /x HTTP/1.1\r\n" H "Content-Length: 5b\r\n\r\nhello"),
    LINE("empty length", 400,
         "POST /x HTTP/1.1\r\n" H "Content-Length:\r\n\r\n"),
    LINE("length of spaces", 400,
         "POST /x HTTP/1.1\r\n" H "Content-Length:   \r\n\r\n"),
    LINE("length beyond 64 bits", 400,
         "POST /x HTTP/1.1\r\n" H
         "Content-Length: 18446744073709551621\r\n\r\nhello"),
    LINE("list of lengths", 400,
         "POST /x HTTP/1.1\r\n" H "Content-Length: 5, 5\r\n\r\nhello"),
    LINE("fraction", 400,
         "POST /x HTTP/1.1\r\n" H "Content-Length: 5.0\r\n\r\nhello"),
    LINE("length above the limit", 413,
         "POST /x HTTP/1.1\r\n" H "Content-Length: 1001\r\n\r\nhello"),
    LINE("length far above the limit", 413,
         "POST /x HTTP/1.1\r\n" H "Content-Length: 999999999999999999\r\n\r\n"),

    /* transfer codings */
    LINE("chunked twice in a list", 400,
         "POST /x HTTP/1.1\r\n" H
         "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    LINE("chunked twice in two headers", 400,
         "POST /x HTTP/1.1\r\n" H
         "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
         "0\r\n\r\n"),
    LINE("gzip and chunked in two headers", 400,
         "POST /x HTTP/1.1\r\n" H
         "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
         "0\r\n\r\n"),
    LINE("gzip, chunked", 501,
         "POST /x HTTP/1.1\r\n" H
         "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    LINE("identity", 400,
         "POST /x HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n"),
    LINE("empty coding", 400,
         "POST /x HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n"),
    LINE("empty element", 400,
         "POST /x HTTP/1.1\r\n" H
         "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n"),
    LINE("quoted chunked", 400,
         "POST /x HTTP/1.1\r\n" H
         "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
    LINE("chunked with a parameter", 400,
         "POST /x HTTP/1.1\r\n" H
         "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"),
    LINE("chunked in HTTP/1.0", 400,
         "POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),

    /* names and hosts */
    LINE("no name", 400, "GET /x HTTP/1.1\r\n" H ": b\r\n\r\n"),
    LINE("no colon", 400, "GET /x HTTP/1.1\r\n" H "A\r\n\r\n"),
    LINE("space in a name", 400, "GET /x HTTP/1.1\r\n" H "A b: c\r\n\r\n"),
    LINE("slash in a name", 400, "GET /x HTTP/1.1\r\n" H "A/b: c\r\n\r\n"),
    LINE("parenthesis in a name", 400,
         "GET /x HTTP/1.1\r\n" H "A(b): c\r\n\r\n"),
    LINE("high byte in a name", 400,
         "GET /x HTTP/1.1\r\n" H "A\xc3\xa4: c\r\n\r\n"),
    LINE("empty host", 400, "GET /x HTTP/1.1\r\nHost:\r\n\r\n"),
    LINE("host with a path", 400, "GET /x HTTP/1.1\r\nHost: h/x\r\n\r\n"),
    LINE("host with a user", 400, "GET /x HTTP/1.1\r\nHost: u@h\r\n\r\n"),
    LINE("host with a space", 400, "GET /x HTTP/1.1\r\nHost: h i\r\n\r\n"),
    LINE("list of hosts", 400, "GET /x HTTP/1.1\r\nHost: h,i\r\n\r\n"),
    LINE("host with a bad port", 400, "GET /x HTTP/1.1\r\nHost: h:80a\r\n\r\n"),
    LINE("host with a high port", 400,
         "GET /x HTTP/1.1\r\nHost: h:65536\r\n\r\n"),
    LINE("host without a name", 400, "GET /x HTTP/1.1\r\nHost: :80\r\n\r\n"),
    LINE("host with an open bracket", 400,
         "GET /x HTTP/1.1\r\nHost: [::1\r\n\r\n"),
    LINE("host with a bad escape", 400, "GET /x HTTP/1.1\r\nHost: h%2\r\n\r\n"),

    /* request lines */
    LINE("lower case method", 400, "get /x HTTP/1.1\r\n" H "\r\n"),
    LINE("mixed case method", 400, "GeT /x HTTP/1.1\r\n" H "\r\n"),
    LINE("bracket in a method", 400, "GE[T /x HTTP/1.1\r\n" H "\r\n"),
    LINE("underscore in a method", 400, "GE_T /x HTTP/1.1\r\n" H "\r\n"),
    LINE("no method", 400, " /x HTTP/1.1\r\n" H "\r\n"),
    LINE("unknown method", 501, "BREW /x HTTP/1.1\r\n" H "\r\n"),
    LINE("longer than a method", 501, "GETX /x HTTP/1.1\r\n" H "\r\n"),
    LINE("connect", 501, "CONNECT h:80 HTTP/1.1\r\n" H "\r\n"),
    LINE("two spaces before the target", 400, "GET  /x HTTP/1.1\r\n" H "\r\n"),
    LINE("two spaces behind the target", 400, "GET /x  HTTP/1.1\r\n" H "\r\n"),
    LINE("tab behind the method", 400, "GET\t/x HTTP/1.1\r\n" H "\r\n"),
    LINE("space in the target", 400, "GET /x y HTTP/1.1\r\n" H "\r\n"),
    LINE("space behind the version", 400, "GET /x HTTP/1.1 \r\n" H "\r\n"),
    LINE("control in the target", 400, "GET /x\001y HTTP/1.1\r\n" H "\r\n"),
    LINE("NUL in the target", 400, "GET /x\0y HTTP/1.1\r\n" H "\r\n"),
    LINE("high byte in the target", 400, "GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n"),
    LINE("fragment", 400, "GET /x#y HTTP/1.1\r\n" H "\r\n"),
    LINE("target without a slash", 400, "GET x HTTP/1.1\r\n" H "\r\n"),
    LINE("authority as a target", 400, "GET h:80 HTTP/1.1\r\n" H "\r\n"),
    LINE("star for GET", 400, "GET * HTTP/1.1\r\n" H "\r\n"),
    LINE("star and more", 400, "OPTIONS *x HTTP/1.1\r\n" H "\r\n"),
    LINE("absolute target of another host", 400,
         "GET http://i/x HTTP/1.1\r\n" H "\r\n"),
    LINE("absolute target with a user", 400,
         "GET http://u@h/x HTTP/1.1\r\n" H "\r\n"),
    LINE("absolute target without a host", 400,
         "GET http:///x HTTP/1.1\r\n" H "\r\n"),
    LINE("absolute target with a query but no path", 400,
         "GET http://h?x HTTP/1.1\r\n" H "\r\n"),
    LINE("another scheme", 400, "GET ftp://h/x HTTP/1.1\r\n" H "\r\n"),
    LINE("no target", 400, "GET HTTP/1.1\r\n" H "\r\n"),
    LINE("HTTP/0.9", 400, "GET /x\r\n" H "\r\n"),
    LINE("lower case version", 400, "GET /x http/1.1\r\n" H "\r\n"),
    LINE("HTTP/1.10", 400, "GET /x HTTP/1.10\r\n" H "\r\n"),
    LINE("HTTP/01.1", 400, "GET /x HTTP/01.1\r\n" H "\r\n"),
    LINE("HTTP/1", 400, "GET /x HTTP/1\r\n" H "\r\n"),
    LINE("HTTP/1,1", 400, "GET /x HTTP/1,1\r\n" H "\r\n"),
    LINE("HTTP/1.2", 505, "GET /x HTTP/1.2\r\n" H "\r\n"),
    LINE("HTTP/2.0", 505, "GET /x HTTP/2.0\r\n" H "\r\n"),
    LINE("HTTP/0.9 spelt out", 505, "GET /x HTTP/0.9\r\n" H "\r\n"),
    LINE("the preface of HTTP/2", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    LINE("two empty lines before", 400, "\r\n\r\nGET /x HTTP/1.1\r\n" H "\r\n"),
    LINE("a TLS hello", 400, "\026\003\001\002\0\001\0\001\374\003\003"),
    LINE("an expectation of something else", 417,
         "POST /x HTTP/1.1\r\n" H
         "Expect: 200-ok\r\nContent-Length: 5\r\n\r\nhello"),
    LINE("an unfinished head", 400, "GET /x HTTP/1.1\r\n" H),
    LINE("an unfinished body", 400,
         "POST /x HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhell"),

    /* chunks */
    LINE("chunk with a plus", 400, CHUNKED "+5\r\nhello\r\n0\r\n\r\n"),
    LINE("chunk with a minus", 400, CHUNKED "-5\r\nhello\r\n0\r\n\r\n"),
    LINE("chunk with 0x", 400, CHUNKED "0x5\r\nhello\r\n0\r\n\r\n"),
    LINE("chunk with a space before", 400, CHUNKED " 5\r\nhello\r\n0\r\n\r\n"),
    LINE("chunk with a space behind", 400, CHUNKED "5 \r\nhello\r\n0\r\n\r\n"),
    LINE("chunk with a tab behind", 400, CHUNKED "5\t\r\nhello\r\n0\r\n\r\n"),
    LINE("chunk of another base", 400, CHUNKED "g\r\nhello\r\n0\r\n\r\n"),
    LINE("chunk beyond 64 bits", 400,
         CHUNKED "10000000000000005\r\nhello\r\n0\r\n\r\n"),
    LINE("chunk of all ones", 400,
         CHUNKED "ffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
    LINE("chunk with many zeros", 400,
         CHUNKED "00000000000000005\r\nhello\r\n0\r\n\r\n"),
    LINE("chunk without a size", 400, CHUNKED "\r\nhello\r\n0\r\n\r\n"),
    LINE("chunk of an extension alone", 400,
         CHUNKED ";a=b\r\nhello\r\n0\r\n\r\n"),
    LINE("chunk with bare LF", 400, CHUNKED "5\nhello\r\n0\r\n\r\n"),
    LINE("chunk with bare CR", 400, CHUNKED "5\rhello\r\n0\r\n\r\n"),
    LINE("bare LF in an extension", 400, CHUNKED "5;a\nhello\r\n0\r\n\r\n"),
    LINE("bare CR in an extension", 400,
         CHUNKED "5;a\rb\r\nhello\r\n0\r\n\r\n"),
    LINE("NUL in an extension", 400, CHUNKED "5;a\0\r\nhello\r\n0\r\n\r\n"),
    LINE("no CRLF behind a chunk", 400, CHUNKED "5\r\nhello0\r\n\r\n"),
    LINE("LF behind a chunk", 400, CHUNKED "5\r\nhello\n0\r\n\r\n"),
    LINE("chunk longer than its size", 400, CHUNKED "4\r\nhello\r\n0\r\n\r\n"),
    LINE("trailer without a name", 400, CHUNKED "0\r\n: b\r\n\r\n"),
    LINE("trailer with a space", 400, CHUNKED "0\r\nA : b\r\n\r\n"),
    LINE("folded trailer", 400, CHUNKED "0\r\nA: b\r\n c\r\n\r\n"),
    LINE("trailer with a bare LF", 400, CHUNKED "0\r\nA: b\n\r\n"),
    LINE("trailer with NUL", 400, CHUNKED "0\r\nA: \0\r\n\r\n"),
    LINE("bare LF at the end", 400, CHUNKED "0\r\n\n"),
    LINE("a request instead of the end", 400,
         CHUNKED "0\r\nGET /x HTTP/1.1\r\n" H "\r\n"),
    LINE("an unfinished chunk", 400, CHUNKED "5\r\nhel"),
    LINE("no last chunk", 400, CHUNKED "5\r\nhello\r\n"),
    LINE("chunks above the limit", 413, CHUNKED "5\r\nhello\r\n3e4\r\nhello"),
};

static const struct line accepted[] = {
    LINE("the smallest", 200, "GET / HTTP/1.1\r\nHost:h\r\n\r\n"),
    LINE("HTTP/1.0 without a host", 200, "GET /x HTTP/1.0\r\n\r\n"),
    LINE("one empty line before", 200, "\r\nGET /x HTTP/1.1\r\n" H "\r\n"),
    LINE("spaces around a value", 200,
         "GET /x HTTP/1.1\r\nHost: \t h \t \r\n\r\n"),
    LINE("empty value", 200, "GET /x HTTP/1.1\r\n" H "A:\r\nB: c\r\n\r\n"),
    LINE("high bytes in a value", 200,
         "GET /x HTTP/1.1\r\n" H "A: \xc3\xa4\xff\r\n\r\n"),
    LINE("every character of a name", 200,
         "GET /x HTTP/1.1\r\n" H "!#$%&'*+-.^_`|~09azAZ: b\r\n\r\n"),
    LINE("a long path with a query", 200,
         "GET /a/%2F/b+c?d=e&f=%20?g=/ HTTP/1.1\r\n" H "\r\n"),
    LINE("odd characters in a path", 200,
         "GET /{a}|\"b\"^[c]\\;,=@: HTTP/1.1\r\n" H "\r\n"),
    LINE("two slashes", 200, "GET //h/x HTTP/1.1\r\n" H "\r\n"),
    LINE("address and port as a host", 200,
         "GET /x HTTP/1.1\r\nHost: [::1]:3500\r\n\r\n"),
    LINE("host with an empty port", 200, "GET /x HTTP/1.1\r\nHost: h:\r\n\r\n"),
    LINE("absolute target", 200,
         "GET http://H:80/x?y HTTP/1.1\r\nHost: h:80\r\n\r\n"),
    LINE("absolute target without a path", 200,
         "GET HTTP://h HTTP/1.1\r\n" H "\r\n"),
    LINE("star for OPTIONS", 200, "OPTIONS * HTTP/1.1\r\n" H "\r\n"),
    LINE("a body with a length", 200,
         "POST /x HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello"),
    LINE("a length with zeros", 200,
         "PUT /x HTTP/1.1\r\n" H "Content-Length: 0005\r\n\r\nhello"),
    LINE("a length of none", 200,
         "DELETE /x HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n"),
    LINE("a body for GET", 200,
         "GET /x HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc"),
    LINE("a body in HTTP/1.0", 200,
         "POST /x HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc"),
    LINE("chunks", 200, CHUNKED "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"),
    LINE("chunks in capitals", 200,
         "POST /x HTTP/1.1\r\n" H "TRANSFER-ENCODING: CHUNKED\r\n\r\n"
         "A\r\n0123456789\r\n00\r\n\r\n"),
    LINE("extensions", 200,
         CHUNKED "5;a\r\nhello\r\n1;b=\"c d\";e\r\n!\r\n0;f\r\n\r\n"),
    LINE("trailers", 200,
         CHUNKED "5\r\nhello\r\n0\r\nA: b\r\nContent-Length: 9\r\n\r\n"),
    LINE("no chunks", 200, CHUNKED "0\r\n\r\n"),
    LINE("upgrade that is not taken up", 200,
         "GET /x HTTP/1.1\r\n" H
         "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
         "HTTP2-Settings: AAMAAABk\r\n\r\n"),
    LINE("trace", 200, "TRACE /x HTTP/1.1\r\n" H "\r\n"),
    LINE("patch", 200, "PATCH /x HTTP/1.1\r\n" H "Content-Length: 1\r\n\r\n1"),
    LINE("a body of exactly the limit, in one chunk", 200,
         CHUNKED "00a\r\n0123456789\r\n0\r\n\r\n"),
};

#endif /* WIRE_HTTP_LINES_H */
