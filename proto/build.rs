//! Generates service stubs: of the public services from the descriptor that `temporalio-protos` publishes, of our internal
//! services and stored records from `cairn/*.proto`. Message types of `temporal.api.*` are that crate's own.
//!
//! For each public service also `Shared`: the service behind a pointer. Its server is compiled in this crate, once, instead of
//! wherever the service is implemented.

use std::collections::HashMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use prost::Message;
use prost_types::{FileDescriptorProto, FileDescriptorSet, ServiceDescriptorProto};
use protox::Compiler;
use protox::file::{File, FileResolver};

/// What the public files are made of: their own packages and those that they import for annotations.
const PUBLISHED: [&str; 4] = ["temporal.api", "google", "nexusannotations", "grpc.gateway"];
/// The public services for which stubs are made and which reflection shows.
const SERVED: [&str; 2] = [
    "temporal.api.workflowservice.v1",
    "temporal.api.operatorservice.v1",
];
const OWN: [&str; 6] = [
    "cairn/effect.proto",
    "cairn/token.proto",
    "cairn/record.proto",
    "cairn/cluster.proto",
    "cairn/history.proto",
    "cairn/matching.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let path = env::var("DEP_TEMPORALIO_PROTOS_DESCRIPTOR_PATH")?;
    println!("cargo:rerun-if-changed={path}");
    let mut public = FileDescriptorSet::decode(&*fs::read(&path)?)?;
    public.file.retain(|file| {
        PUBLISHED
            .iter()
            .any(|package| file.package().starts_with(package))
    });
    for file in &mut public.file {
        if !SERVED.contains(&file.package()) {
            file.service.clear();
        }
    }
    fs::write(out.join("temporal_descriptors.bin"), public.encode_to_vec())?;
    for file in &public.file {
        for service in &file.service {
            let name = format!("shared_{}.rs", snake(service.name()));
            fs::write(out.join(name), shared(service))?;
        }
    }
    stubs().compile_fds(public.clone())?;
    for file in &mut public.file {
        file.service.clear();
    }
    let folder = out.join("cairn");
    fs::create_dir_all(&folder)?;
    stubs().out_dir(folder).compile_fds(own(public)?)?;
    Ok(())
}

fn stubs() -> tonic_prost_build::Builder {
    tonic_prost_build::configure()
        .generate_default_stubs(true) // what is not built answers UNIMPLEMENTED by itself
        .extern_path(".temporal.api", "::temporalio_protos::temporal::api")
        .extern_path(".google.rpc", "::temporalio_protos::google::rpc")
        .extern_path(".google.protobuf.Duration", "::prost_types::Duration")
        .extern_path(".google.protobuf.Timestamp", "::prost_types::Timestamp")
        .extern_path(".google.protobuf.Any", "::prost_types::Any")
}

/// `Shared(Arc<dyn Service>)`, which passes every call on.
fn shared(service: &ServiceDescriptorProto) -> String {
    let name = service.name();
    let methods = service.method.iter().map(|method| {
        let (input, output) = (message(method.input_type()), message(method.output_type()));
        let method = snake(method.name());
        format!(
            "    fn {method}<'life, 'call>(&'life self, request: tonic::Request<{input}>) \
                -> Answer<'call, {output}> where 'life: 'call, Self: 'call {{ self.0.{method}(request) }}\n"
        )
    });
    let methods: String = methods.collect();
    format!(
        "/// A `{name}` behind a pointer.\n\
        #[derive(Clone)]\n\
        pub struct Shared(pub std::sync::Arc<dyn super::{module}_server::{name}>);\n\
        type Answer<'call, T> = std::pin::Pin<Box<dyn std::future::Future<\
            Output = Result<tonic::Response<T>, tonic::Status>> + Send + 'call>>;\n\
        impl super::{module}_server::{name} for Shared {{\n{methods}}}\n",
        module = snake(name),
    )
}

fn message(name: &str) -> String {
    format!("crate{}", name.replace('.', "::"))
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// Our own files, compiled against the public descriptor: no protoc, no copy of the public files.
fn own(public: FileDescriptorSet) -> Result<FileDescriptorSet, Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let mut compiler = Compiler::with_file_resolver(Published {
        public: by_name(public),
        root: root.clone(),
    });
    compiler.include_imports(true);
    for file in OWN {
        println!("cargo:rerun-if-changed={}", root.join(file).display());
        compiler.open_file(file)?;
    }
    Ok(compiler.file_descriptor_set())
}

fn by_name(set: FileDescriptorSet) -> HashMap<String, FileDescriptorProto> {
    set.file
        .into_iter()
        .map(|file| (file.name().to_owned(), file))
        .collect()
}

struct Published {
    public: HashMap<String, FileDescriptorProto>,
    root: PathBuf,
}

impl FileResolver for Published {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match self.public.get(name) {
            Some(file) => Ok(File::from_file_descriptor_proto(file.clone())),
            None => File::open(name, &self.root.join(Path::new(name))),
        }
    }
}
