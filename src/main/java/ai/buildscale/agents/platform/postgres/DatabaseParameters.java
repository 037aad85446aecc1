package ai.buildscale.agents.platform.postgres;

import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.StringJoiner;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * The parameters of {@code DATABASE_URL}: those of libpq, and what people know from other clients, each in the words of
 * both drivers, or refused by its name. Nothing is passed on that one driver would not understand as the other does, but for
 * {@code channel_binding}: the pool's driver binds where the server offers it, and cannot insist.
 */
final class DatabaseParameters {
    private static final Pattern NAME = Pattern.compile("[A-Za-z][A-Za-z0-9_.-]{0,62}");
    private static final Pattern PLAIN_SCHEMA = Pattern.compile("[a-z_][a-z0-9_]*");
    private static final Pattern SECONDS = Pattern.compile("[0-9]{1,5}");

    private static final Set<String> SSL_MODES =
            Set.of("disable", "allow", "prefer", "require", "verify-ca", "verify-full");

    /** What is taken, with the values that are; it needs nothing, as this service does so anyway. */
    private static final Map<String, Set<String>> SO_ANYWAY = Map.ofEntries(
            Map.entry("target_session_attrs", Set.of("any", "read-write", "primary")),
            Map.entry("targetservertype", Set.of("any", "primary", "master", "preferprimary")),
            Map.entry("load_balance_hosts", Set.of("disable", "random")),
            Map.entry("loadbalancehosts", Set.of("false", "true")),
            Map.entry("gssencmode", Set.of("disable", "prefer", "allow")),
            Map.entry("client_encoding", Set.of("utf8", "utf-8", "auto", "unicode")),
            Map.entry("encoding", Set.of("utf8", "utf-8", "unicode")),
            Map.entry("charset", Set.of("utf8", "utf-8")),
            Map.entry("sslsni", Set.of("1")),
            Map.entry("sslnegotiation", Set.of("postgres")),
            Map.entry("pgbouncer", Set.of("false")),
            Map.entry("keepalives", Set.of("1")),
            Map.entry("tcpkeepalive", Set.of("true")));

    /** Any value of them is taken, and does nothing: this service asks its connections itself whether they live. */
    private static final Set<String> NEEDLESS =
            Set.of("keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout");

    private static final Map<String, String> WHY_NOT = Map.of(
            "pgbouncer",
                    "a pooler in transaction mode is not supported: name Postgres itself, or a pooler in session mode",
            "host", "the host stands between user and database",
            "hostaddr", "the host stands between user and database",
            "port", "the port stands behind the host",
            "dbname", "the database stands behind the host",
            "ssl", "say what is meant by sslmode",
            "sslrootcert", "it must be the path of a PEM file");

    private final Map<String, String> reactive = new LinkedHashMap<>();
    private final Map<String, String> jdbc = new LinkedHashMap<>();
    private final Map<String, String> own = new HashMap<>();
    private final Map<String, String> session = new LinkedHashMap<>();
    private String user = "";

    /** @param text as it stands behind the question mark */
    void read(String text) {
        for (String one : text.split("&", -1)) {
            if (!one.isEmpty()) {
                String[] pair = one.split("=", 2);
                if (pair.length < 2 || !NAME.matcher(pair[0]).matches()) {
                    throw DatabaseUrl.refused("has a parameter that does not look like name=value");
                }
                put(pair[0], DatabaseUrl.decoded(pair[1]).strip());
            }
        }
    }

    void put(String name, String value) {
        String known = name.toLowerCase(Locale.ROOT);
        switch (known) {
            case "user", "username" -> {
                user = value;
                own.put("quarkus.datasource.username", value);
            }
            case "password" -> own.put("quarkus.datasource.password", value);
            case "sslmode" -> sslMode(name, value);
            case "sslrootcert" -> rootCertificate(name, value);
            case "channel_binding", "channelbinding" -> {
                require(name, value, Set.of("disable", "prefer", "require"));
                jdbc.put("channelBinding", value);
            }
            case "application_name", "applicationname" -> called(value);
            case "fallback_application_name" -> {
                if (!reactive.containsKey("application_name")) {
                    called(value);
                }
            }
            case "connect_timeout", "connecttimeout" -> connectTimeout(name, value);
            case "search_path", "currentschema" -> session.put("search_path", value);
            case "schema" -> session.put("search_path", identifier(value));
            case "options" -> options(value);
            default -> {
                if (SO_ANYWAY.containsKey(known)) {
                    require(name, value, SO_ANYWAY.get(known));
                } else if (!NEEDLESS.contains(known)) {
                    throw refused(
                            name,
                            WHY_NOT.getOrDefault(
                                    known,
                                    "it is not a parameter that this service knows; a"
                                            + " setting of Postgres can be given as options=-c%20name%3Dvalue"));
                }
            }
        }
    }

    private static IllegalArgumentException refused(String name, String why) {
        return DatabaseUrl.refused("has the parameter " + name + ", which is refused: " + why);
    }

    private static void require(String name, String value, Set<String> values) {
        if (!values.contains(value.toLowerCase(Locale.ROOT))) {
            String known = name.toLowerCase(Locale.ROOT);
            throw refused(
                    name,
                    WHY_NOT.getOrDefault(
                            known, "it may be " + values.stream().sorted().collect(Collectors.joining(", "))));
        }
    }

    private void sslMode(String name, String value) {
        require(name, value, SSL_MODES);
        reactive.put("sslmode", value.toLowerCase(Locale.ROOT));
        jdbc.put("sslmode", value.toLowerCase(Locale.ROOT));
        if (value.equalsIgnoreCase("verify-full")) {
            own.put("quarkus.datasource.reactive.hostname-verification-algorithm", "HTTPS");
        }
    }

    private void rootCertificate(String name, String value) {
        if (!value.contains("/")) {
            throw refused(name, WHY_NOT.get("sslrootcert"));
        }
        own.put("quarkus.datasource.reactive.trust-certificate-pem", "true");
        own.put("quarkus.datasource.reactive.trust-certificate-pem.certs", value.replace(",", "\\,"));
        jdbc.put("sslrootcert", value);
    }

    private void called(String name) {
        reactive.put("application_name", name);
        jdbc.put("ApplicationName", name);
    }

    /** As with libpq, zero is no bound; but there must be one. */
    private void connectTimeout(String name, String value) {
        if (!SECONDS.matcher(value).matches()) {
            throw refused(name, "it must be a whole number of seconds");
        }
        if (Integer.parseInt(value) > 0) {
            own.put("database.connect-timeout", Integer.parseInt(value) + "S");
            jdbc.put("connectTimeout", value);
        }
    }

    private static String identifier(String schema) {
        return PLAIN_SCHEMA.matcher(schema).matches() ? schema : '"' + schema.replace("\"", "\"\"") + '"';
    }

    /** {@code -c name=value} and {@code --name=value} are settings; anything else is for whoever stands before Postgres. */
    private void options(String text) {
        List<String> others = new ArrayList<>();
        List<String> words = words(text);
        for (int i = 0; i < words.size(); i++) {
            String word = words.get(i);
            if (word.equals("-c") && i + 1 < words.size()) {
                setting(words.get(++i));
            } else if ((word.startsWith("-c") && word.length() > 2) || word.startsWith("--")) {
                setting(word.substring(2));
            } else {
                others.add(word.replace("\\", "\\\\").replace(" ", "\\ "));
            }
        }
        if (!others.isEmpty()) {
            reactive.put("options", String.join(" ", others));
            jdbc.put("options", String.join(" ", others));
        }
    }

    /** Words end at blanks; a backslash stands before a blank that does not end one. */
    private static List<String> words(String text) {
        List<String> words = new ArrayList<>();
        StringBuilder word = new StringBuilder();
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '\\' && i + 1 < text.length()) {
                word.append(text.charAt(++i));
            } else if (!Character.isWhitespace(c)) {
                word.append(c);
            } else if (!word.isEmpty()) {
                words.add(word.toString());
                word.setLength(0);
            }
        }
        if (!word.isEmpty()) {
            words.add(word.toString());
        }
        return words;
    }

    private void setting(String text) {
        String[] pair = text.split("=", 2);
        if (pair.length < 2 || !NAME.matcher(pair[0]).matches()) {
            throw refused("options", "a setting in it does not look like -c name=value");
        }
        session.put(pair[0].replace('-', '_'), pair[1]);
    }

    /** Empty if the URL names none. */
    String user() {
        return user;
    }

    String ofReactive() {
        return query(reactive);
    }

    String ofJdbc() {
        return query(jdbc);
    }

    private static String query(Map<String, String> parameters) {
        StringJoiner query = new StringJoiner("&", "?", "").setEmptyValue("");
        parameters.forEach((name, value) -> query.add(name + '=' + encoded(value)));
        return query.toString();
    }

    static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
    }

    /** What is configured by other means than an address: by name, as of application.properties. */
    Map<String, String> settings() {
        Map<String, String> settings = new HashMap<>(own);
        if (!session.isEmpty()) {
            settings.put(
                    "quarkus.datasource.jdbc.new-connection-sql",
                    SessionSetting.statement(
                            session.entrySet().stream().map(one -> SessionSetting.call(one.getKey(), one.getValue()))));
        }
        return settings;
    }
}
