//! One line per query: what is asked, or why it cannot be.

use proptest::prelude::{prop, prop_oneof, proptest};

use cairn_history::log::visibility::Value;

use super::truth::CHAIN;
use super::*;

fn namespace() -> Namespace {
    let columns = [
        ("Keyword01", "Color"),
        ("Int02", "Size"),
        ("Double01", "Weight"),
        ("Bool01", "Sold"),
        ("Datetime01", "Due"),
        ("KeywordList01", "Tags"),
        ("Text01", "Notes"),
    ];
    let aliases = columns.map(|(column, alias)| (column.to_owned(), alias.to_owned()));
    let record = cairn_proto::cairn::record::v1::Namespace {
        custom_search_attribute_aliases: aliases.into(),
        ..Default::default()
    };
    Namespace::new(
        cairn_history::id::NamespaceId([7; 16]),
        "shop".to_owned(),
        record,
        Vec::new().into(),
    )
}

/// What is asked, but for what hides the system's own runs.
fn plan(query: &str) -> Result<Planned> {
    let mut planned = super::plan(&namespace(), query)?;
    let hidden = no_division(&namespace());
    planned.condition = match planned.condition {
        Some(condition) if condition == hidden => None,
        Some(Condition::All(mut all)) if all.last() == Some(&hidden) => {
            all.pop();
            match all.len() {
                1 => all.pop(),
                _ => Some(Condition::All(all)),
            }
        }
        other => other,
    };
    Ok(planned)
}

fn refused(query: &str) -> String {
    match plan(query) {
        Ok(planned) => format!("{planned:?}"),
        Err(refusal) => refusal.to_string(),
    }
}

#[test]
fn refusals_are_in_the_reference_s_words() {
    for (query, refusal) in REFUSALS {
        assert_eq!(
            refused(query),
            format!("invalid query: {refusal}"),
            "{query}"
        );
    }
}

#[rustfmt::skip]
const REFUSALS: &[(&str, &str)] = &[
    ("ExecutionStatus = true", "invalid expression: invalid value type for search attribute ExecutionStatus of type Keyword: true (type: bool)"),
    ("ExecutionDuration = true", "invalid expression: invalid value type for search attribute ExecutionDuration of type Int: true (type: bool)"),
    ("a.b.c.d='x'", "malformed SQL query: syntax error at position 34"),
    ("/* x", "malformed SQL query: syntax error at position 32 near '/* x'"),
    ("WorkflowId = ~5", "operation is not supported: unary operator \"~\""),
    ("WorkflowId # c", "invalid expression: incomplete expression"),
    ("WorkflowId = 1e5", "invalid expression: invalid value type for search attribute WorkflowId of type Keyword: 100000 (type: float64)"),
    ("WorkflowId=123456789.5", "invalid expression: invalid value type for search attribute WorkflowId of type Keyword: 1.234567895e+08 (type: float64)"),
    ("WorkflowId=0.00001", "invalid expression: invalid value type for search attribute WorkflowId of type Keyword: 1e-05 (type: float64)"),
    ("WorkflowId=`a`", "operation is not supported: column name on the right side of comparison expression (did you forget to quote \"a\"?)"),
    ("WorkflowId='a", "malformed SQL query: syntax error at position 41 near 'a'"),
    ("WorkflowId=a", "operation is not supported: column name on the right side of comparison expression (did you forget to quote \"a\"?)"),
    ("WorkflowId", "invalid expression: incomplete expression"),
    ("WorkflowId=", "malformed SQL query: syntax error at position 39"),
    ("= 'a'", "malformed SQL query: syntax error at position 29"),
    ("WorkflowId=='a'", "malformed SQL query: syntax error at position 40"),
    ("WorkflowId <=> 'a'", "operation is not supported: operator '<=>' not supported for Keyword type search attribute 'WorkflowId'"),
    ("WorkflowId = 5", "invalid expression: invalid value type for search attribute WorkflowId of type Keyword: 5 (type: int64)"),
    ("WorkflowId = 5.5", "invalid expression: invalid value type for search attribute WorkflowId of type Keyword: 5.5 (type: float64)"),
    ("WorkflowId = true", "invalid expression: invalid value type for search attribute WorkflowId of type Keyword: true (type: bool)"),
    ("WorkflowId = null", "invalid expression: unexpected value type *sqlparser.NullVal"),
    ("WorkflowId IS true", "invalid expression: 'IS' operator can only be used as 'IS NULL' or 'IS NOT NULL'"),
    ("WorkflowId in ()", "malformed SQL query: syntax error at position 44"),
    ("WorkflowId in 'a'", "malformed SQL query: syntax error at position 45 near 'a'"),
    ("WorkflowId in ('a',5)", "invalid expression: invalid value type for search attribute WorkflowId of type Keyword: 5 (type: int64)"),
    ("WorkflowId starts_with 5", "invalid expression: invalid value type for search attribute WorkflowId of type Keyword: 5 (type: int64)"),
    ("WorkflowId LIKE 'a%'", "operation is not supported: operator 'LIKE' not supported for Keyword type search attribute 'WorkflowId'"),
    ("WorkflowId not like 'a%'", "operation is not supported: operator 'NOT LIKE' not supported for Keyword type search attribute 'WorkflowId'"),
    ("WorkflowId REGEXP 'a'", "operation is not supported: operator 'REGEXP' not supported for Keyword type search attribute 'WorkflowId'"),
    ("!WorkflowId='a'", "invalid expression: must be a column name but was *sqlparser.UnaryExpr"),
    ("WorkflowId='a' AND", "malformed SQL query: syntax error at position 46"),
    ("WorkflowId='a' XOR RunId='b'", "malformed SQL query: syntax error at position 46 near 'xor'"),
    ("(WorkflowId='a'", "malformed SQL query: syntax error at position 43"),
    ("WorkflowId='a')", "malformed SQL query: syntax error at position 43"),
    ("()", "malformed SQL query: syntax error at position 30"),
    ("'a'=WorkflowId", "invalid expression: must be a column name but was *sqlparser.SQLVal"),
    ("'a'='a'", "invalid expression: must be a column name but was *sqlparser.SQLVal"),
    ("1=1", "invalid expression: must be a column name but was *sqlparser.SQLVal"),
    ("true", "operation is not supported: expression of type sqlparser.BoolVal"),
    ("WorkflowId=RunId", "operation is not supported: column name on the right side of comparison expression (did you forget to quote \"RunId\"?)"),
    ("WorkflowId='a' order by StartTime", "operation is not supported: 'ORDER BY' clause"),
    ("order by StartTime", "operation is not supported: 'ORDER BY' clause"),
    ("ORDER BY StartTime desc", "operation is not supported: 'ORDER BY' clause"),
    ("order by Foo", "invalid search attribute: Foo"),
    ("WorkflowId='a' limit 5", "operation is not supported: 'LIMIT' clause"),
    ("limit 5", "malformed SQL query: syntax error at position 33 near 'limit'"),
    ("Foo='a'", "invalid search attribute: Foo"),
    ("CustomKeywordField='a'", "invalid search attribute: CustomKeywordField"),
    ("`Foo Bar`='a'", "invalid search attribute: Foo Bar"),
    ("Foo.Bar='a'", "invalid search attribute: Foo.Bar"),
    ("workflowid='a'", "invalid search attribute: workflowid"),
    ("WORKFLOWID='a'", "invalid search attribute: WORKFLOWID"),
    ("func(WorkflowId)='a'", "invalid expression: must be a column name but was *sqlparser.FuncExpr"),
    ("WorkflowId=lower('a')", "operation is not supported: nested func"),
    ("WorkflowId=concat('a','b')", "operation is not supported: nested func"),
    ("WorkflowId='a'+'b'", "invalid expression: unexpected value type *sqlparser.BinaryExpr"),
    ("HistoryLength = 1+1", "invalid expression: unexpected value type *sqlparser.BinaryExpr"),
    ("HistoryLength='5'", "invalid expression: invalid value type for search attribute HistoryLength of type Int: \"5\" (type: string)"),
    ("HistoryLength='a'", "invalid expression: invalid value type for search attribute HistoryLength of type Int: \"a\" (type: string)"),
    ("HistoryLength='5.5'", "invalid expression: invalid value type for search attribute HistoryLength of type Int: \"5.5\" (type: string)"),
    ("HistoryLength starts_with '1'", "invalid expression: invalid value type for search attribute HistoryLength of type Int: \"1\" (type: string)"),
    ("HistoryLength=true", "invalid expression: invalid value type for search attribute HistoryLength of type Int: true (type: bool)"),
    ("HistoryLength = 0x10", "invalid expression: unable to parse value \"0x10\""),
    ("ExecutionStatus='running'", "invalid expression: invalid ExecutionStatus value 'running'"),
    ("ExecutionStatus='RUNNING'", "invalid expression: invalid ExecutionStatus value 'RUNNING'"),
    ("ExecutionStatus='1'", "invalid expression: invalid ExecutionStatus value '1'"),
    ("ExecutionStatus=99", "invalid expression: invalid ExecutionStatus value 99"),
    ("ExecutionStatus='Foo'", "invalid expression: invalid ExecutionStatus value 'Foo'"),
    ("ExecutionStatus=''", "invalid expression: invalid ExecutionStatus value ''"),
    ("ExecutionStatus='Timed_Out'", "invalid expression: invalid ExecutionStatus value 'Timed_Out'"),
    ("ExecutionStatus starts_with 'Run'", "invalid expression: invalid ExecutionStatus value 'Run'"),
    ("ExecutionStatus=1.0", "invalid expression: unexpected value type float64 for search attribute ExecutionStatus"),
    ("ExecutionStatus=-1", "invalid expression: invalid ExecutionStatus value -1"),
    ("StartTime > '2020-01-01'", "invalid expression: unable to parse datetime '2020-01-01'"),
    ("StartTime > '2020-01-01 00:00:00'", "invalid expression: unable to parse datetime '2020-01-01 00:00:00'"),
    ("StartTime > 'foo'", "invalid expression: unable to parse datetime 'foo'"),
    ("StartTime > '1577836800000000000'", "invalid expression: unable to parse datetime '1577836800000000000'"),
    ("StartTime > 5.5", "invalid expression: invalid value type for search attribute StartTime of type Datetime: 5.5 (type: float64)"),
    ("StartTime > 1.577836800e18", "invalid expression: invalid value type for search attribute StartTime of type Datetime: 1.5778368e+18 (type: float64)"),
    ("StartTime between '2020-01-01T00:00:00Z'", "malformed SQL query: syntax error at position 68"),
    ("StartTime > '2020-01-01T00:00:00+0100'", "invalid expression: unable to parse datetime '2020-01-01T00:00:00+0100'"),
    ("StartTime starts_with '2020'", "invalid expression: unable to parse datetime '2020'"),
    ("StartTime > true", "invalid expression: invalid value type for search attribute StartTime of type Datetime: true (type: bool)"),
    ("StartTime > '2020-13-01T00:00:00Z'", "invalid expression: unable to parse datetime '2020-13-01T00:00:00Z'"),
    ("StartTime > '2020-01-01T00:00:00z'", "invalid expression: unable to parse datetime '2020-01-01T00:00:00z'"),
    ("StartTime > '2020-01-01t00:00:00Z'", "invalid expression: unable to parse datetime '2020-01-01t00:00:00Z'"),
    ("CloseTime = missing", "operation is not supported: column name on the right side of comparison expression (did you forget to quote \"missing\"?)"),
    ("CloseTime='missing'", "invalid expression: unable to parse datetime 'missing'"),
    ("ExecutionDuration > 'foo'", "invalid expression: invalid duration value for search attribute ExecutionDuration: foo"),
    ("ExecutionDuration > 5.5", "invalid expression: unexpected value type float64 for search attribute ExecutionDuration"),
    ("ExecutionDuration > '00:60:00'", "invalid expression: invalid duration value for search attribute ExecutionDuration: 00:60:00"),
    ("ExecutionDuration > ''", "invalid expression: invalid duration value for search attribute ExecutionDuration: "),
    ("BuildIds > 'x'", "operation is not supported: operator '>' not supported for KeywordList type search attribute 'BuildIds'"),
    ("BuildIds starts_with 'x'", "operation is not supported: operator 'STARTS_WITH' not supported for KeywordList type search attribute 'BuildIds'"),
    ("BuildIds between 'a' and 'b'", "invalid expression: cannot do range condition on search attribute 'BuildIds' of type KeywordList"),
    ("BuildIds=5", "invalid expression: invalid value type for search attribute BuildIds of type KeywordList: 5 (type: int64)"),
    ("TemporalSchedulePaused='true'", "invalid expression: invalid value type for search attribute TemporalSchedulePaused of type Bool: \"true\" (type: string)"),
    ("TemporalSchedulePaused=5", "invalid expression: invalid value type for search attribute TemporalSchedulePaused of type Bool: 5 (type: int64)"),
    ("TemporalSchedulePaused='x'", "invalid expression: invalid value type for search attribute TemporalSchedulePaused of type Bool: \"x\" (type: string)"),
    ("VisibilityTime>5", "invalid search attribute: VisibilityTime"),
    ("NamespaceId='x'", "invalid search attribute: NamespaceId"),
    ("WorkflowId = 'a'; drop table x", "malformed SQL query: syntax error at position 50 near 'drop'"),
    ("select * from x", "malformed SQL query: syntax error at position 34 near 'select'"),
    ("WorkflowId = (select 1)", "invalid expression: unexpected value type *sqlparser.Subquery"),
    ("WorkflowId='a' and or RunId='b'", "malformed SQL query: syntax error at position 49 near 'or'"),
    ("WorkflowId='a' RunId='b'", "malformed SQL query: syntax error at position 48 near 'RunId'"),
    ("\0", "malformed SQL query: syntax error at position 29 near '\0'"),
    ("WorkflowId = :x", "invalid expression: unable to parse value \":x\""),
    ("WorkflowId = ?", "invalid expression: unable to parse value \":v1\""),
    ("@a=5", "invalid search attribute: @a"),
    ("WorkflowId in (('a'))", "invalid expression: unexpected value type *sqlparser.ParenExpr"),
    ("(WorkflowId)='a'", "invalid expression: must be a column name but was *sqlparser.ParenExpr"),
    ("(WorkflowId,RunId)=('a','b')", "invalid expression: must be a column name but was sqlparser.ValTuple"),
    ("WorkflowId = ('a')", "invalid expression: unexpected value type *sqlparser.ParenExpr"),
    ("WorkflowId = 'a' collate x", "invalid expression: unexpected value type *sqlparser.CollateExpr"),
    ("case when 1 then 2 end", "operation is not supported: expression of type *sqlparser.CaseExpr"),
    ("exists (select 1)", "operation is not supported: expression of type *sqlparser.ExistsExpr"),
    ("WorkflowId = 'a' and 1", "operation is not supported: expression of type *sqlparser.SQLVal"),
    ("WorkflowId = X'41'", "invalid expression: invalid value type for search attribute WorkflowId of type Keyword: 41 (type: int64)"),
    ("WorkflowId = _utf8'A'", "malformed SQL query: syntax error at position 49 near 'A'"),
    ("HistoryLength = 5 and (", "malformed SQL query: syntax error at position 51"),
    ("where WorkflowId='a'", "malformed SQL query: syntax error at position 33 near 'where'"),
    ("WorkflowId = false", "invalid expression: invalid value type for search attribute WorkflowId of type Keyword: false (type: bool)"),
    ("WorkflowId in (true)", "invalid expression: invalid value type for search attribute WorkflowId of type Keyword: true (type: bool)"),
    ("HistoryLength between 'a' and 5", "invalid expression: invalid value type for search attribute HistoryLength of type Int: \"a\" (type: string)"),
    ("HistoryLength in ('1','x')", "invalid expression: invalid value type for search attribute HistoryLength of type Int: \"1\" (type: string)"),
    ("ExecutionStatus='Running' and Foo='x' and Bar='y'", "invalid search attribute: Foo"),
    ("StartTime < 1e400", "invalid expression: unable to parse value \"1e400\""),
    ("key='a'", "malformed SQL query: syntax error at position 31 near 'key'"),
    ("order='a'", "malformed SQL query: syntax error at position 33 near 'order'"),
    ("`order`='a'", "invalid search attribute: order"),
    ("Running=true", "invalid search attribute: Running"),
    ("status='Running'", "invalid search attribute: status"),
    ("WorkflowID='a'", "invalid search attribute: WorkflowID"),
    ("date='x'", "invalid search attribute: date"),
    ("timestamp='x'", "invalid search attribute: timestamp"),
    ("group='a'", "malformed SQL query: syntax error at position 33 near 'group'"),
    ("desc='a'", "malformed SQL query: syntax error at position 32 near 'desc'"),
    ("group by WorkflowType", "operation is not supported: 'GROUP BY' clause is not supported for search attribute WorkflowType"),
    ("group by ExecutionStatus, WorkflowType", "operation is not supported: 'GROUP BY' clause supports only a single field"),
    ("group by Foo", "invalid search attribute: Foo"),
    ("group by executionstatus", "invalid search attribute: executionstatus"),
    ("group by 'ExecutionStatus'", "invalid expression: must be a column name but was *sqlparser.SQLVal"),
    ("group by ExecutionStatus order by StartTime", "operation is not supported: 'ORDER BY' clause"),
    ("group by ExecutionStatus limit 5", "operation is not supported: 'LIMIT' clause"),
    ("group by", "malformed SQL query: syntax error at position 30"),
    ("group by 5", "invalid expression: must be a column name but was *sqlparser.SQLVal"),
    ("group by (ExecutionStatus)", "invalid expression: must be a column name but was *sqlparser.ParenExpr"),
    ("group by TemporalLowCardinalityKeyword01", "invalid search attribute: TemporalLowCardinalityKeyword01"),
    ("group by lower(ExecutionStatus)", "invalid expression: must be a column name but was *sqlparser.FuncExpr"),
];

#[test]
fn answers() {
    for query in ANSWERED {
        assert!(plan(query).is_ok(), "{query}: {}", refused(query));
    }
}

#[rustfmt::skip]
const ANSWERED: &[&str] = &[
    "HistoryLength = - - 5",
    "WorkflowId='a' # c",
    "WorkflowId='a' ;",
    "",
    "  ",
    "WorkflowId='a'",
    "WorkflowId=\"a\"",
    "`WorkflowId`=\"a\"",
    "WorkflowId <> 'a'",
    "WorkflowId != 'a'",
    "WorkflowId is null",
    "WorkflowId is not null",
    "WorkflowId > 'a'",
    "WorkflowId in ('a','b')",
    "WorkflowId in ('a')",
    "WorkflowId not in ('a')",
    "WorkflowId between 'a' and 'b'",
    "WorkflowId not between 'a' and 'b'",
    "WorkflowId starts_with 'a'",
    "WorkflowId STARTS_WITH 'a'",
    "WorkflowId not starts_with 'a'",
    "WorkflowId starts_with ''",
    "NOT WorkflowId='a'",
    "NOT (WorkflowId='a' or WorkflowId='b')",
    "WorkflowId='a' && RunId='b'",
    "WorkflowId='a' || RunId='b'",
    "((WorkflowId='a'))",
    "group by ExecutionStatus",
    "WorkflowId='a' group by ExecutionStatus",
    "HistoryLength = -1",
    "HistoryLength=5",
    "HistoryLength=5.5",
    "HistoryLength > 5 and HistoryLength < 10",
    "HistoryLength in (1,2)",
    "HistoryLength between 1 and 2",
    "HistoryLength = 99999999999999999999",
    "HistoryLength is null",
    "ExecutionStatus='Running'",
    "ExecutionStatus='WORKFLOW_EXECUTION_STATUS_RUNNING'",
    "ExecutionStatus=1",
    "ExecutionStatus in ('Running','Completed')",
    "ExecutionStatus in ('Running',2)",
    "ExecutionStatus='TimedOut'",
    "ExecutionStatus='ContinuedAsNew'",
    "ExecutionStatus > 'Running'",
    "ExecutionStatus != 'Running'",
    "ExecutionStatus is null",
    "ExecutionStatus='Unspecified'",
    "ExecutionStatus=0",
    "ExecutionStatus='Paused'",
    "ExecutionStatus between 1 and 2",
    "StartTime > '2020-01-01T00:00:00Z'",
    "StartTime > 5",
    "StartTime > 1577836800000000000",
    "StartTime between '2020-01-01T00:00:00Z' and '2030-01-01T00:00:00Z'",
    "StartTime = '2020-01-01T00:00:00.123456789+01:00'",
    "StartTime is null",
    "StartTime in ('2020-01-01T00:00:00Z')",
    "StartTime > '9999-12-31T23:59:59Z'",
    "StartTime > '0001-01-01T00:00:00Z'",
    "StartTime > '1600-01-01T00:00:00Z'",
    "StartTime > -5",
    "CloseTime is null",
    "CloseTime is not null",
    "CloseTime > '2020-01-01T00:00:00Z'",
    "ExecutionDuration > 5",
    "ExecutionDuration > '5s'",
    "ExecutionDuration > '1h2m'",
    "ExecutionDuration > '1d'",
    "ExecutionDuration > '01:02:03'",
    "ExecutionDuration > '1:2:3'",
    "ExecutionDuration > '5'",
    "ExecutionDuration > '-5s'",
    "ExecutionDuration > '1.5h'",
    "ExecutionDuration > '100:00:00'",
    "ExecutionDuration > '1d2h'",
    "ExecutionDuration > '01:02:03.5'",
    "ExecutionDuration in ('1s','2s')",
    "ExecutionDuration between '1s' and '2s'",
    "ExecutionDuration is null",
    "ExecutionDuration > '1.5d'",
    "RunId='x'",
    "RunId='01a20222-cf2f-7e62-8469-e1bd68bc2ca6'",
    "RunId starts_with '01a'",
    "RunId > 'a'",
    "RunId in ('a','b')",
    "ParentWorkflowId is null",
    "ParentWorkflowId='x'",
    "RootWorkflowId is not null",
    "ParentRunId='x'",
    "RootRunId starts_with '0'",
    "TaskQueue='q2'",
    "WorkflowType='t'",
    "BuildIds='x'",
    "BuildIds is null",
    "BuildIds in ('x')",
    "TemporalChangeVersion='x'",
    "TemporalChangeVersion is not null",
    "ChangeVersion='x'",
    "BinaryChecksums='x'",
    "BatcherUser='x'",
    "TemporalScheduledById='x'",
    "TemporalScheduledStartTime > 5",
    "TemporalSchedulePaused=true",
    "TemporalSchedulePaused > true",
    "TemporalNamespaceDivision='x'",
    "TemporalNamespaceDivision is null",
    "TemporalNamespaceDivision is not null",
    "TemporalNamespaceDivision != 'x'",
    "TemporalPauseInfo='x'",
    "TemporalReportedProblems='x'",
    "TemporalWorkerDeployment='x'",
    "TemporalWorkerDeploymentVersion='x'",
    "TemporalWorkflowVersioningBehavior='x'",
    "TemporalUsedWorkerDeploymentVersions='x'",
    "TemporalExternalPayloadCount=5",
    "ScheduleId='x'",
    "TemporalWorkflowId='x'",
    "StateTransitionCount>5",
    "HistorySizeBytes>5",
    "ExecutionTime>5",
    "WorkflowId='it''s'",
    "WorkflowId='it\\'s'",
    "WorkflowId=\"a'b\"",
    "WorkflowId='a\\nb'",
    "WorkflowId='ä'",
    "WorkflowId = 'a' /* c */",
    "WorkflowId = 'a' -- c",
    "WorkflowId='a' and RunId='b' or WorkflowId='c'",
    "not not WorkflowId='a'",
    "WorkflowId is not null and not (HistoryLength>5)",
    "ExecutionStatus = \"Running\" and StartTime between '2020-01-01T00:00:00Z' and '2030-01-01T00:00:00Z' and WorkflowType in ('a','b')",
    "WorkflowId = 'A'",
    "HistoryLength = 1e3",
    "HistoryLength = .5",
    "WorkflowId\t=\n'a'",
    "HistoryLength is not null",
    "GROUP BY ExecutionStatus",
    "ExecutionStatus='Running' GROUP BY ExecutionStatus",
    "group by `ExecutionStatus`",
    "WorkflowId='nope' group by ExecutionStatus",
    "group by TemporalNamespaceDivision",
    "group by ExecutionStatus having 1",
];

fn condition(query: &str) -> String {
    match plan(query) {
        Ok(Planned {
            condition: None, ..
        }) => "always".to_owned(),
        Ok(Planned {
            condition: Some(condition),
            ..
        }) => shown(&condition),
        Err(refusal) => refusal.to_string(),
    }
}

fn shown(condition: &Condition) -> String {
    let joined = |all: &[Condition], with: &str| {
        format!("({})", all.iter().map(shown).collect::<Vec<_>>().join(with))
    };
    let sign = |sign: &Comparison| match sign {
        Comparison::Equal => "=",
        Comparison::NotEqual => "!=",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
    };
    match condition {
        Condition::All(all) => joined(all, " and "),
        Condition::Any(any) => joined(any, " or "),
        Condition::Not(inner) => format!("not {}", shown(inner)),
        Condition::Compare(attribute, comparison, Value::Text(text)) => {
            format!("{attribute:?} {} {text}", sign(comparison))
        }
        Condition::Compare(attribute, comparison, Value::Int(number)) => {
            format!("{attribute:?} {} {number}", sign(comparison))
        }
        Condition::Compare(attribute, comparison, Value::Time(time)) => {
            format!("{attribute:?} {} {}", sign(comparison), time.0)
        }
        Condition::Compare(attribute, comparison, Value::Run(run)) => {
            format!("{attribute:?} {} {run}", sign(comparison))
        }
        Condition::IsNull(attribute) => format!("no {attribute:?}"),
        Condition::StartsWith(attribute, prefix) => format!("{attribute:?} ^ {prefix}"),
        Condition::Never => "never".to_owned(),
        Condition::Has(term, test) => has(*term, test, sign),
        Condition::Worker(text) => format!("worker {text:?}"),
        other => format!("{other:?}"),
    }
}

fn has(term: [u8; 16], test: &Test, sign: impl Fn(&Comparison) -> &'static str) -> String {
    let namespace = namespace();
    let predefined = cairn_history::search_attribute::predefined();
    let predefined = predefined.map(|(name, kind)| (name.to_owned(), kind));
    let mut all = namespace.registry.custom.into_iter().chain(predefined);
    let name = all.find(|(name, kind)| {
        cairn_history::search_attribute::attribute(namespace.id, name, *kind) == term
    });
    let (name, kind) = name.unwrap_or(("?".to_owned(), Kind::Keyword));
    let value = |bytes: &[u8]| match (kind, <[u8; 8]>::try_from(bytes)) {
        (Kind::Keyword | Kind::KeywordList | Kind::Text, _) => {
            String::from_utf8_lossy(bytes).into_owned()
        }
        (Kind::Int | Kind::Datetime, Ok(bytes)) => (u64::from_be_bytes(bytes) ^ 1 << 63)
            .cast_signed()
            .to_string(),
        (_, _) => format!("{bytes:02x?}"),
    };
    match test {
        Test::Any => format!("has {name}"),
        Test::Compare(comparison, bytes) => format!("{name} {} {}", sign(comparison), value(bytes)),
        Test::Between(low, high) => format!("{name} {}..{}", value(low), value(high)),
        Test::StartsWith(prefix) => format!("{name} ^ {}", value(prefix)),
    }
}

#[test]
fn custom_attributes_are_asked_by_their_type() {
    for (query, expected) in [
        ("Color = 'red'", "Color = red"),
        ("Color != 'red'", "Color != red"),
        ("not Color = 'red'", "Color != red"),
        ("Color in ('red', 'blue')", "(Color = red or Color = blue)"),
        (
            "Color not in ('red', 'blue')",
            "(Color != red and Color != blue)",
        ),
        ("Color starts_with 'r'", "(has Color and Color ^ r)"),
        ("Color not starts_with 'r'", "(has Color and not Color ^ r)"),
        ("Color between 'a' and 'b'", "(Color >= a and Color <= b)"),
        ("Color is null", "not has Color"),
        ("Color is not null", "has Color"),
        ("Keyword01 = 'red'", "Color = red"),
        ("Keyword02 = 'red'", "? = red"),
        (
            "TemporalColor = 'red'",
            "invalid query: invalid search attribute: TemporalColor",
        ),
        ("Size > 5", "Size > 5"),
        ("Size > 5.5", "(has Size and Size >= 6)"),
        ("Size = 5.5", "never"),
        ("Size != 5.5", "has Size"),
        ("Sold = true", "Sold = [01]"),
        ("Due >= '1970-01-01T00:00:01Z'", "Due >= 1000000000"),
        ("Tags = 'A'", "Tags = a"),
        ("Tags != 'a'", "not Tags = a"),
        ("Tags not in ('a', 'b')", "(not Tags = a and not Tags = b)"),
        ("Tags = ''", "never"),
        ("Tags != ''", "always"),
        ("Notes = 'Quick, brown'", "(Notes = quick or Notes = brown)"),
        ("Notes = 'quick-brown'", "(Notes = quick and Notes = brown)"),
        ("Notes != 'quick'", "not Notes = quick"),
        ("Notes = '...'", "never"),
        (
            "BuildIds = 'Unversioned'",
            "worker \"\\nBuildIds=unversioned\\n\"",
        ),
        ("BuildIds is null", "not worker \"\\nBuildIds=\""),
        ("ChangeVersion = 'a-1'", "TemporalChangeVersion = a-1"),
        (
            "TemporalScheduledById is null",
            "not has TemporalScheduledById",
        ),
        (
            "Notes = 5",
            "invalid query: invalid expression: invalid value type for search attribute Notes of type Text: 5 (type: int64)",
        ),
        (
            "Notes = ''",
            "invalid query: invalid expression: no tokens found filtering on Text type search attribute Notes",
        ),
        (
            "Notes in ('a')",
            "invalid query: operation is not supported: operator 'IN' not supported for Text type search attribute 'Notes'",
        ),
        (
            "Tags > 'a'",
            "invalid query: operation is not supported: operator '>' not supported for KeywordList type search attribute 'Tags'",
        ),
        (
            "Tags = ('a', 'b')",
            "invalid query: invalid expression: unexpected value type (expected string, got ('a', 'b'))",
        ),
        (
            "Sold between false and true",
            "invalid query: invalid expression: cannot do range condition on search attribute 'Sold' of type Bool",
        ),
        (
            "Weight = 'x'",
            "invalid query: invalid expression: invalid value type for search attribute Weight of type Double: \"x\" (type: string)",
        ),
        (
            "Weightless = 1",
            "invalid query: invalid search attribute: Weightless",
        ),
    ] {
        assert_eq!(condition(query), expected, "{query}");
    }
}

#[test]
fn the_system_s_own_runs_are_hidden_from_who_does_not_ask_for_them() {
    let hidden = no_division(&namespace());
    let asked = |query| super::plan(&namespace(), query).unwrap().condition;
    assert_eq!(asked(""), Some(hidden.clone()));
    let one = asked("WorkflowId = 'a'");
    assert!(matches!(&one, Some(Condition::All(all)) if all.contains(&hidden)));
    for query in [
        "TemporalNamespaceDivision is not null",
        "WorkflowId = 'a' or NamespaceDivision = 'x'",
    ] {
        assert!(
            !format!("{:?}", asked(query)).contains(&format!("{hidden:?}")),
            "{query}"
        );
    }
}

#[test]
fn conditions() {
    for (query, expected) in [
        ("", "always"),
        (
            "WorkflowId='a' and WorkflowType!='b'",
            "(WorkflowId = a and WorkflowType != b)",
        ),
        (
            "not (WorkflowId='a' or TaskQueue='b')",
            "(WorkflowId != a and TaskQueue != b)",
        ),
        ("not not WorkflowId='a'", "WorkflowId = a"),
        ("ScheduleId='a'", "WorkflowId = a"),
        ("WorkflowId='a\0b'", "WorkflowId = a\0b"),
        ("WorkflowId > 'a\0b'", "WorkflowId > a\0b"),
        ("WorkflowId <= 'a\0b'", "WorkflowId <= a\0b"),
        ("WorkflowId starts_with '\0'", "WorkflowId ^ \0"),
        ("ExecutionStatus='Running'", "ExecutionStatus = 1"),
        (
            "ExecutionStatus in ('Running', 2)",
            "(ExecutionStatus = 1 or ExecutionStatus = 2)",
        ),
        (
            "WorkflowId not in ('a','b')",
            "(WorkflowId != a and WorkflowId != b)",
        ),
        (
            "StartTime between '1970-01-01T00:00:00Z' and 5",
            "(StartTime >= 0 and StartTime <= 5)",
        ),
        (
            "StartTime not between 1 and 5",
            "(StartTime < 1 or StartTime > 5)",
        ),
        ("CloseTime is null", "no CloseTime"),
        ("CloseTime > 5", "(not no CloseTime and CloseTime > 5)"),
        (
            "not (HistoryLength > 5)",
            "(not no CloseTime and HistoryLength <= 5)",
        ),
        ("HistoryLength is null", "no CloseTime"),
        ("HistoryLength = 5.5", "never"),
        (
            "HistoryLength = 5.0",
            "(not no CloseTime and HistoryLength = 5)",
        ),
        (
            "HistoryLength < 5.5",
            "(not no CloseTime and HistoryLength <= 5)",
        ),
        (
            "HistoryLength > -5.5",
            "(not no CloseTime and HistoryLength >= -5)",
        ),
        ("HistoryLength != 99999999999999999999", "not no CloseTime"),
        (
            "ExecutionDuration > '1s'",
            "(not no CloseTime and ExecutionDuration > 1000000000)",
        ),
        ("WorkflowId starts_with 'a'", "WorkflowId ^ a"),
        ("WorkflowId not starts_with 'a'", "not WorkflowId ^ a"),
        ("WorkflowId starts_with ''", "always"),
        (
            "ParentWorkflowId != 'a'",
            "(not no ParentWorkflowId and ParentWorkflowId != a)",
        ),
        (
            "RootWorkflowId = 'a'",
            "((no RootWorkflowId and WorkflowId = a) or (not no RootWorkflowId and RootWorkflowId = a))",
        ),
        ("RootWorkflowId is null", "never"),
        ("RunId = 'x'", "never"),
        ("RunId != 'x'", "always"),
        ("RunId = '01A20222-cf2f-7e62-8469-e1bd68bc2ca6'", "never"),
        (
            "RunId = '01a20222-cf2f-7e62-8469-e1bd68bc2ca6'",
            "RunId = 01a20222-cf2f-7e62-8469-e1bd68bc2ca6",
        ),
        (
            "RunId starts_with '01a'",
            "(RunId >= 01a00000-0000-0000-0000-000000000000 and RunId < 01b00000-0000-0000-0000-000000000000)",
        ),
        (
            "TemporalNamespaceDivision = 'x'",
            "TemporalNamespaceDivision = x",
        ),
    ] {
        assert_eq!(condition(query), expected, "{query}");
    }
}

fn longest(condition: &Condition) -> usize {
    match condition {
        Condition::All(all) | Condition::Any(all) => {
            all.len().max(all.iter().map(longest).max().unwrap_or(0))
        }
        _ => 0,
    }
}

#[test]
fn long_chains_are_folded() {
    let query = (0..15_000)
        .map(|n| format!("'{n}'"))
        .collect::<Vec<_>>()
        .join(",");
    let Ok(Planned {
        condition: Some(condition),
        ..
    }) = plan(&format!("WorkflowId in ({query})"))
    else {
        panic!("refused");
    };
    assert!(longest(&condition) <= CHAIN);
    let query = vec!["'a'"; MOST_VALUES + 1].join(",");
    assert!(plan(&format!("WorkflowId in ({query})")).is_err());
}

#[test]
fn a_query_has_an_end() {
    assert!(plan(&" ".repeat(LONGEST)).is_ok());
    assert!(plan(&" ".repeat(LONGEST + 1)).is_err());
}

#[test]
fn groups() {
    let by = |query: &str| plan(query).map(|planned| planned.group_by);
    assert_eq!(by("GROUP BY ExecutionStatus"), Ok(Some(Group::Status)));
    assert_eq!(
        by("WorkflowId='a' group by `ExecutionStatus`"),
        Ok(Some(Group::Status))
    );
    assert_eq!(
        by("group by TemporalNamespaceDivision"),
        Ok(Some(Group::Division))
    );
    assert_eq!(by("WorkflowId='a'"), Ok(None));
}

proptest! {
    #[test]
    fn no_comparison_panics(
        name in prop::sample::select(vec!["WorkflowId", "RunId", "StartTime", "HistoryLength", "ExecutionStatus",
            "ExecutionDuration", "BuildIds", "RootRunId", "CloseTime", "TemporalSchedulePaused"]),
        operator in prop::sample::select(vec!["=", "!=", "<", ">=", "in", "not in", "starts_with", "between 1 and", "<=>"]),
        value in prop_oneof!["'[ -~]{0,10}'", "-?[0-9]{1,25}", "-?[0-9]{0,5}\\.[0-9]{1,5}(e[0-9]{1,4})?", "\\('[a-z]*',[0-9]*\\)"],
    ) {
        let _ = plan(&format!("{name} {operator} {value}"));
        let _ = plan(&format!("not ({name} {operator} {value})"));
    }
}
